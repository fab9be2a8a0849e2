"""Maps to places, boxes and crops: by hand, and against explicit interpolation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import ops


def test_the_mean_of_an_activation_map_is_the_logit():
    rng = np.random.default_rng(0)
    features, weight, bias = (
        rng.normal(size=s).astype(np.float32) for s in ((2, 3, 4, 5), (5, 6), (6,))
    )
    maps = jax.jit(ops.class_activation_maps)(features, weight, bias)
    logits = features.mean((1, 2)) @ weight + bias
    np.testing.assert_allclose(maps.mean((1, 2)), logits, rtol=1e-4, atol=1e-5)
    one = features[1, 2, 3] @ weight[:, 4]
    assert ops.class_activation_maps(features, weight)[1, 2, 3, 4] == pytest.approx(
        one, rel=1e-4
    )


def test_upsampling_keeps_middles_and_goes_on_at_the_border():
    x = jnp.arange(3.0).reshape(1, 1, 3, 1)
    found = ops.upsample(x, (2, 9)).reshape(2, 9)
    expected = [0, 0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2, 2]
    np.testing.assert_allclose(found, [expected, expected], atol=1e-6)


def test_a_peak_is_the_middle_of_the_first_highest_place():
    maps = np.zeros((1, 2, 4, 2), np.float32)
    maps[0, 1, 2, 0] = 1.0  # the other map is flat
    found = jax.jit(ops.peaks)(maps)
    np.testing.assert_allclose(found, [[[2.5 / 4, 1.5 / 2], [0.5 / 4, 0.5 / 2]]])


def test_boxes_lie_around_separate_peaks_inside_of_the_image():
    maps = np.zeros((1, 8, 8, 3), np.float32)
    maps[0, 0, 0, 0] = 5.0
    maps[0, 0, 1, 1] = 4.0  # hidden by the first box
    maps[0, 5, 4, 2] = 3.0
    found = jax.jit(lambda m: ops.boxes_at_peaks(m, 2, 0.5))(maps)
    expected = [[0, 0, 0.5, 0.5], [4.5 / 8 - 0.25, 5.5 / 8 - 0.25, 0, 0]]
    expected[1][2:] = [expected[1][0] + 0.5, min(expected[1][1] + 0.5, 1)]
    np.testing.assert_allclose(found[0], expected, atol=1e-6)
    many = ops.boxes_at_peaks(maps, 9, 1.0)
    np.testing.assert_allclose(many, np.tile([0, 0, 1, 1.0], (1, 9, 1)))


def test_a_crop_is_interpolated_and_differentiable():
    image = np.random.default_rng(1).normal(size=(1, 6, 8, 2)).astype(np.float32)
    whole = jnp.array([[[0.0, 0, 1, 1], [0.25, 0.5, 0.75, 1.0]]])
    same = jax.jit(lambda i, b: ops.crop_and_zoom(i, b, (6, 8)))(image, whole)
    np.testing.assert_allclose(same[0, 0], image[0], atol=1e-6)
    part = ops.crop_and_zoom(image, whole[:, 1:], (3, 4))  # at the size of the pixels
    np.testing.assert_allclose(part[0, 0], image[0, 3:, 2:6], atol=1e-6)
    twice = ops.crop_and_zoom(image, whole[:, 1:], (6, 8))[0, 0]
    between = 0.75 * image[0, 4, 3] + 0.25 * image[0, 4, 4]
    middle = 0.75 * between + 0.25 * (0.75 * image[0, 3, 3] + 0.25 * image[0, 3, 4])
    np.testing.assert_allclose(twice[2, 3], middle, atol=1e-5)

    def total(i, b):
        return jnp.sum(ops.crop_and_zoom(i, b, (2, 2)) ** 2)

    slopes = jax.grad(total, (0, 1))(image, whole)
    assert all(np.abs(s).max() > 0 for s in slopes)


@pytest.mark.parametrize(
    ('count', 'size', 'said'),
    [(0, 0.5, 'count 0'), (1, 0.0, 'size 0'), (1, 2, 'size 2')],
)
def test_what_is_no_box_is_refused(count, size, said):
    with pytest.raises(ValueError, match=said):
        ops.boxes_at_peaks(jnp.zeros((1, 2, 2, 1)), count, size)
