"""Shrinking groups: the minimiser, exact zeros, and equal bits at threshold 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import ops


@pytest.mark.parametrize('axis', [0, 1])
def test_against_numpy_in_float64(axis):
    x = np.random.default_rng(0).normal(size=(4, 5))
    length = np.linalg.norm(x, axis=axis, keepdims=True)
    amount = np.median(length)
    expected = np.where(length > amount, x - amount * x / length, 0)
    with jax.enable_x64(True):
        shrink = jax.jit(ops.shrink_groups, static_argnames='axis')
        actual = np.asarray(shrink(jnp.asarray(x), amount, axis=axis))
        np.testing.assert_allclose(actual, expected, atol=1e-12)
    dropped = (actual == 0).all(axis)
    assert 0 < dropped.sum() < len(dropped)

    def objective(y):
        far = np.sum((y - x) ** 2) / 2
        return far + amount * np.linalg.norm(y, axis=axis).sum()

    rng = np.random.default_rng(1)
    for _ in range(50):
        assert objective(actual) <= objective(actual + rng.normal(0, 0.05, x.shape))


def test_no_amount_leaves_the_bits_and_zeros_stay():
    x = jnp.asarray([[0.1, 0.0], [1e-20, 0.0]])
    np.testing.assert_array_equal(ops.shrink_groups(x, 0.0, axis=0), x)
    actual = ops.shrink_groups(x, 0.01, axis=0)
    assert np.isfinite(actual).all()
    np.testing.assert_array_equal(actual[:, 1], 0)
