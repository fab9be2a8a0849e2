"""Correlation of features, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import ops


def test_against_numpy_in_float64():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 3)), rng.normal(size=(9, 4))
    expected = np.corrcoef(x.T, y.T)[:3, 3:]
    with jax.enable_x64(True):
        actual = jax.jit(ops.cross_correlation)(jnp.asarray(x), jnp.asarray(y))
        np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_a_constant_feature_correlates_with_none():
    x = jnp.asarray([[1.0, 0.0], [1.0, 1.0]])
    actual = jax.jit(ops.cross_correlation)(x, x)
    np.testing.assert_allclose(actual, [[0, 0], [0, 1]], atol=1e-6)
