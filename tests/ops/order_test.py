"""The first of the largest, where argmax cannot be compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import ops


@pytest.mark.parametrize('axis', [0, 1, -1])
def test_it_is_argmax(axis):
    x = np.random.default_rng(0).integers(0, 3, (7, 5)).astype(np.float32)
    actual = jax.jit(ops.argmax_first, static_argnums=1)(x, axis)
    np.testing.assert_array_equal(actual, x.argmax(axis))
    assert actual.dtype == np.int32


def test_float64_inside_a_program_of_float32():
    def outer(x):
        with jax.enable_x64(True):
            wide = jnp.asarray(x, jnp.float64) + 1e-12 * jnp.arange(x.shape[-1])
            return ops.argmax_first(wide)

    x = np.ones((3, 4), np.float32)
    np.testing.assert_array_equal(jax.jit(outer)(x), 3)
    np.testing.assert_array_equal(jax.jit(jax.vmap(outer))(x), 3)


def test_nan_has_the_last_place():
    assert ops.argmax_first(jnp.array([1.0, jnp.nan, 0.0])) == 2
