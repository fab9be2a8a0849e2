"""Maps, boxes and crops: by hand, and against explicit interpolation."""

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
    actual = ops.upsample(x, (2, 9)).reshape(2, 9)
    expected = [0, 0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2, 2]
    np.testing.assert_allclose(actual, [expected, expected], atol=1e-6)


def test_boxes_lie_around_separate_peaks_inside_of_the_image():
    maps = np.zeros((1, 8, 8, 3), np.float32)
    maps[0, 0, 0, 0] = 5.0
    maps[0, 0, 1, 1] = 4.0  # hidden by the first box
    maps[0, 5, 4, 2] = 3.0
    actual = jax.jit(lambda m: ops.boxes_at_peaks(m, 2, 0.5))(maps)
    expected = [[0, 0, 0.5, 0.5], [4.5 / 8 - 0.25, 5.5 / 8 - 0.25, 0, 0]]
    expected[1][2:] = [expected[1][0] + 0.5, min(expected[1][1] + 0.5, 1)]
    np.testing.assert_allclose(actual[0], expected, atol=1e-6)
    many = ops.boxes_at_peaks(maps, 9, 1.0)
    np.testing.assert_allclose(many, np.tile([0, 0, 1, 1.0], (1, 9, 1)))


def test_where_no_place_is_left_the_first_box_comes_again():
    maps = jnp.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    actual = jax.jit(lambda m: ops.boxes_at_peaks(m, 6, 0.5))(maps)[0]
    expected = [[0.5, 0.5], [0, 0.5], [0.5, 0], [0, 0], [0.5, 0.5], [0.5, 0.5]]
    np.testing.assert_allclose(actual[:, :2], expected)


def test_a_crop_is_interpolated():
    image = np.random.default_rng(1).normal(size=(1, 6, 8, 2)).astype(np.float32)
    whole = jnp.array([[[0.0, 0, 1, 1], [0.25, 0.5, 0.75, 1.0]]])
    crop = jax.jit(ops.crop_and_zoom, static_argnums=2)
    large = crop(image, whole, (6, 8))
    np.testing.assert_allclose(large[0, 0], image[0], atol=1e-6)
    part = crop(image, whole[:, 1:], (3, 4))  # at the size of the pixels
    np.testing.assert_allclose(part[0, 0], image[0, 3:, 2:6], atol=1e-6)
    between = 0.75 * image[0, 4, 3] + 0.25 * image[0, 4, 4]
    middle = 0.75 * between + 0.25 * (0.75 * image[0, 3, 3] + 0.25 * image[0, 3, 4])
    np.testing.assert_allclose(large[0, 1, 2, 3], middle, atol=1e-5)
    beside = jnp.array([[[-1.0, 0, 0, 1]]])  # left of the image
    border = np.broadcast_to(image[0, :, :1], (6, 8, 2))
    np.testing.assert_allclose(crop(image, beside, (6, 8))[0, 0], border, atol=1e-6)


def test_gradients_of_a_crop_are_finite_differences(float64):
    """For the image, and for a box whose positions lie between those of the pixels."""
    rng = np.random.default_rng(2)
    image, moved = rng.normal(size=(2, 1, 6, 8, 2))
    box, shifted = np.array([[[0.13, 0.22, 0.71, 0.87]]]), rng.normal(size=(1, 1, 4))

    @jax.jit
    def score(t, u):
        crop = ops.crop_and_zoom(image + t * moved, box + u * shifted, (3, 5))
        return jnp.sum(crop**2)

    step = 1e-6
    slopes = jax.jit(jax.grad(score, (0, 1)))(0.0, 0.0)
    numeric = (
        (score(step, 0.0) - score(-step, 0.0)) / (2 * step),
        (score(0.0, step) - score(0.0, -step)) / (2 * step),
    )
    np.testing.assert_allclose(slopes, numeric, rtol=1e-6)


@pytest.mark.parametrize(
    ('count', 'size', 'message'),
    [(0, 0.5, 'count 0'), (1, 0.0, 'size 0'), (1, 2, 'size 2')],
)
def test_what_is_no_box_is_refused(count, size, message):
    with pytest.raises(ValueError, match=message):
        ops.boxes_at_peaks(jnp.zeros((1, 2, 2, 1)), count, size)
