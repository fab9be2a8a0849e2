"""Decoders: sizes, and the dependence of the image on the code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models

KEY = jax.random.key(0)


@pytest.mark.parametrize('shape', [(28, 28, 3), (8, 8, 1), (10, 7, 3), (5, 16, 2)])
def test_any_small_size(shape):
    decoder = models.DigitDecoder(shape, (4, 4))
    x = jax.ShapeDtypeStruct((2, 6), jnp.float32)

    def init(x):
        return decoder.init_with_output(KEY, x, train=False)

    (image, taps), variables = jax.eval_shape(init, x)
    assert image.shape == (2, *shape)
    assert set(taps) == {'dense', 'conv_1'}
    assert set(variables['params']) == {'dense', 'conv_1', 'image'}


def test_every_pixel_depends_on_the_code():
    decoder = models.DigitDecoder((10, 7, 3), (4, 4))
    x = jax.random.normal(jax.random.key(1), (2, 6))

    @jax.jit
    def decode(x):
        return decoder.init_with_output(KEY, x, train=False)[0][0]

    image = decode(x)
    assert (abs(image[0] - image[1]) > 0).all()


def test_half_precision_answers_in_float32():
    decoder = models.DigitDecoder((8, 8, 3), (4, 4), dtype=jnp.bfloat16)

    @jax.jit
    def decode(x):
        return decoder.init_with_output(KEY, x, train=False)

    (image, _), variables = decode(jnp.ones((1, 6)))
    assert image.dtype == jnp.float32 and np.isfinite(image).all()
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(variables))
