"""Density ratios, and the projection onto few directions that they are fitted on."""

import numpy as np
import pytest

from transfer_jax import selection
from transfer_jax.selection import projection


def _domains(n=400, m=600, d=5, shift=1.0, seed=0):
    rng = np.random.default_rng(seed)
    source, target = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    target[:, 0] += shift
    return source.astype(np.float32), target.astype(np.float32)


def test_the_ratio_is_that_of_the_densities():
    """Two Gaussians a shift a apart: log p_t / p_s = a x - a^2 / 2."""
    source, target = _domains(4000, 2000, shift=1.0)
    result = np.log(selection.density_ratio(source, target))
    np.testing.assert_allclose(result, source[:, 0] - 0.5, atol=0.4)
    slope, intercept = np.polyfit(source[:, 0], result, 1)
    assert abs(slope - 1) < 0.1 and abs(intercept + 0.5) < 0.1


@pytest.mark.parametrize('n, m', [(400, 600), (600, 100)])
def test_weights_are_equal_if_both_domains_have_one_distribution(n, m):
    result = selection.density_ratio(*_domains(n, m, shift=0.0))
    assert abs(result.mean() - 1) < 0.05 and result.std() < 0.3


def test_weights_follow_their_images():
    source, target = _domains(80, 120, d=30)
    result = selection.density_ratio(source, target)
    permuted = selection.density_ratio(source[::-1], target[::-1])
    np.testing.assert_allclose(permuted[::-1], result, rtol=1e-4)


DEGENERATE = {
    'constant features': (np.ones((5, 3)), np.ones((7, 3))),
    'constant up to rounding': (np.full((5, 3), 0.1), np.full((50, 3), 0.1)),
    'one image each': (np.zeros((1, 3)), np.ones((1, 3))),
    'fewer images than features': _domains(6, 9, d=200),
    'fewer than 64 of many more features': _domains(20, 30, d=1500),
    'far apart': _domains(50, 50, shift=1e6),
    'the largest numbers': (np.full((5, 2), -3.4e38), np.zeros((6, 2))),
}


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('source, target', DEGENERATE.values(), ids=DEGENERATE)
def test_poor_features_have_weights(source, target):
    result = selection.density_ratio(source, target)
    assert result.shape == (len(source),)
    assert np.all(np.isfinite(result)) and np.all(result > 0)


def test_constant_features_give_weights_of_1():
    source, target = DEGENERATE['constant features']
    np.testing.assert_allclose(selection.density_ratio(source, target), 1, rtol=1e-4)


def test_features_that_are_not_finite_give_nan_weights():
    source, target = _domains(5, 5)
    target[0, 0] = np.inf
    assert np.all(np.isnan(selection.density_ratio(source, target)))
    with pytest.raises(ValueError, match='not finite'):
        projection.project(source, target)


def test_directions_are_those_of_the_largest_variance():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(300, 2)) * [3, 1]
    x = hidden @ np.linalg.qr(rng.normal(size=(20, 2)))[0].T
    result = np.concatenate(projection.project(x[:100], x[100:]))
    assert result.shape == (300, 20)
    np.testing.assert_allclose(result.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(0)[-2:], [result.std(0)[-2], 1], rtol=1e-5)
    np.testing.assert_allclose(result.std(0)[:-2], 0, atol=1e-3)  # two directions


def test_a_direction_needs_ten_images():
    for part in projection.project(*_domains(20, 30, d=200)):
        assert part.shape[1] == 5


def test_a_wide_layer_keeps_its_distances():
    """Where few directions hold all variance, the sketch finds them."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(700, 10)) @ rng.normal(size=(10, 2000))).astype(np.float32)
    result = np.concatenate(projection.project(x[:300], x[300:]))
    assert result.shape == (700, 64)
    scaled = (x - x.mean(0)) / x.std(0)

    def distances(rows):
        return np.linalg.norm(rows[:50, None] - rows[None, 50:100], axis=-1)

    ratio = distances(result) / distances(scaled)
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)
