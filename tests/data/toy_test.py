"""Two-dimensional domains: how they differ, and what they share."""

import numpy as np
import pytest

from transfer_jax.data import toy


@pytest.mark.parametrize('draw', [toy.rotation, toy.moons, toy.covariate_shift])
def test_draws_are_seeded_and_of_both_classes(draw):
    one, again, other = draw(3, 40), draw(3, 40), draw(4, 40)
    for part, same, different in zip(one, again, other, strict=True):
        assert part.x.shape == (40, 2) and part.x.dtype == np.float32
        assert set(part.label) == {0, 1} and part.classes == toy.CLASSES
        np.testing.assert_array_equal(part.x, same.x)
        assert not np.array_equal(part.x, different.x)
    assert not np.array_equal(one[0].x, one[1].x)


@pytest.mark.parametrize('draw', [toy.rotation, toy.moons])
def test_the_target_is_turned_to_the_left(draw):
    straight, turned = draw(0, 50, 0.0)[1], draw(0, 50, 90.0)[1]
    expected = np.stack([-straight.x[:, 1], straight.x[:, 0]], 1)
    np.testing.assert_allclose(turned.x, expected, atol=1e-6)


def test_blobs_have_the_documented_means_and_deviations():
    x, label = toy.rotation(0, 20_000)[0].x, toy.rotation(0, 20_000)[0].label
    for value, centre in enumerate(([-2, 0], [2, 0])):
        examples = x[label == value]
        np.testing.assert_allclose(examples.mean(0), centre, atol=0.04)
        np.testing.assert_allclose(examples.std(0), [0.5, 1], rtol=0.03)


def test_moons_lie_on_half_circles():
    source, _ = toy.moons(0, 200, noise=0.0)
    for value, sign in ((0, 1), (1, -1)):
        shift = sign * source.x[source.label == value] + (0.5, 0.25)
        np.testing.assert_allclose(np.hypot(*shift.T), 1, atol=1e-6)
        assert (shift[:, 1] >= -1e-6).all()


def test_covariate_shift_shares_the_boundary_and_shifts_the_examples():
    pair = toy.covariate_shift(0, 4000)
    for part in pair:
        above = part.x[:, 1] > 0.5 * part.x[:, 0] ** 2
        assert (above == part.label).mean() > 0.999  # float32
    assert pair[1].x[:, 0].mean() - pair[0].x[:, 0].mean() > 1.6
