"""Which images excite a unit, where, and what of them: against brute force."""

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import ops
from transfer_jax.evaluation import units

RNG = np.random.default_rng(0)
KERNELS = [RNG.normal(size=(3, 3, 2, 4)), RNG.normal(size=(3, 3, 4, 5))]
IMAGES = RNG.normal(size=(13, 9, 11, 2)).astype(np.float32)


def layers(x, relu=jax.nn.relu):
    first = relu(ops.convolve(x, jnp.float32(KERNELS[0]), stride=2))
    second = relu(ops.convolve(first, jnp.float32(KERNELS[1]), stride=1, padding=1))
    return {'first': first, 'second': second}


def test_the_strongest_images_and_places_are_those_of_a_search_one_by_one():
    responses = units.responses(layers, [IMAGES[:5], IMAGES[5:10], IMAGES[10:]])
    for name, every in layers(IMAGES).items():
        every = np.asarray(every)
        n, h, w, c = every.shape
        order = units.top_images(responses[name].value, 9)
        assert order.shape == (c, 9)
        for unit in range(c):
            best = []
            for image in range(n):
                cells = (
                    (every[image, y, x, unit], y, x) for y in range(h) for x in range(w)
                )
                value, y, x = max(cells, key=lambda cell: cell[0])
                best.append((value, image))
                np.testing.assert_allclose(
                    responses[name].value[image, unit], value, rtol=1e-5
                )
                if value > 0:
                    assert tuple(responses[name].position[image, unit]) == (y, x)
            expected = [image for _, image in sorted(best, key=lambda p: -p[0])[:9]]
            assert order[unit].tolist() == expected


def test_contrast_by_hand():
    value = np.array([[4.0, 0.0, 1.0], [2.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(units.contrast(value, 1), [2, 0, 1])
    np.testing.assert_allclose(units.contrast(value, 2), [1.5, 0, 1])


def test_the_receptive_field_is_where_the_gradient_can_be():
    """Positive kernels and images: every pixel in the field counts, none outside."""
    field = units.ReceptiveField().through_layer(3, 2).through_layer(3, padding=1)
    assert field == units.ReceptiveField(7, 2, -2)

    def second(x):
        first = ops.convolve(x, jnp.ones((3, 3, 1, 1)), stride=2)
        return ops.convolve(first, jnp.ones((3, 3, 1, 1)), stride=1, padding=1)

    images = jnp.ones((3, 11, 13, 1))
    position = np.array([[0, 0], [2, 2], [4, 5]])
    gradient = jax.jit(
        lambda x: units.excitation(second, x, np.zeros(3, int), position)
    )
    for i, seen in enumerate(np.asarray(gradient(images))):
        marks = np.arange(11 * 13).reshape(11, 13, 1)
        crop = field.crop(marks, position[i], -1)
        assert crop.shape == (7, 7, 1)
        assert set(crop[crop >= 0]) == set(marks[seen > 0])
    middle = field.crop(marks, (2, 2), -1)[..., 0]
    np.testing.assert_array_equal(middle, marks[2:9, 2:9, 0])


def test_excitation_is_of_each_images_own_unit_and_place():
    unit, position = np.array([3, 0, 4]), np.array([[0, 1], [3, 2], [2, 4]])

    def guided(x):
        return layers(x, ops.guided_relu)['second']

    together = jax.jit(lambda x: units.excitation(guided, x, unit, position))(
        IMAGES[:3]
    )
    one = jax.jit(lambda x, u, y, z: jax.grad(lambda x: guided(x[None])[0, y, z, u])(x))
    for i in range(3):
        np.testing.assert_allclose(
            together[i], one(IMAGES[i], unit[i], *position[i]), rtol=1e-5, atol=1e-5
        )
    assert np.abs(together).max() > 0
