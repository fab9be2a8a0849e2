"""Generalised means between average and maximum; normalisation; signed powers."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

from transfer_jax import ops

X = jnp.asarray(np.random.default_rng(0).uniform(0.1, 2, (2, 3, 4, 5)), jnp.float32)


def test_gem_goes_from_the_average_to_the_maximum():
    pool = jax.jit(ops.gem_pool)
    np.testing.assert_allclose(pool(X, 1.0), X.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(pool(X, 3.0), (X**3).mean((1, 2)) ** (1 / 3), rtol=1e-5)
    np.testing.assert_allclose(pool(X, 1e4), X.max((1, 2)), rtol=1e-3)


def test_gem_takes_a_p_for_each_channel_and_is_differentiable_in_it():
    p = jnp.array([1.0, 2.0, 3.0, 4.0, 50.0])
    actual = ops.gem_pool(X, p)
    for c in range(5):
        alone = ops.gem_pool(X[..., c : c + 1], p[c])
        np.testing.assert_allclose(actual[:, c : c + 1], alone, rtol=1e-5)
    slope = jax.grad(lambda p: ops.gem_pool(X, p).sum())(p)
    assert (slope > 0).all()  # a power mean rises with its power


def test_gem_has_the_gradient_of_finite_differences():
    check_grads(lambda x: ops.gem_pool(x, 3.0), (X,), order=1, eps=1e-2)


def test_gem_of_zeros_is_finite_with_its_gradient():
    value, slope = jax.value_and_grad(lambda x: ops.gem_pool(x, 3.0).sum())(0 * X)
    assert np.isfinite(value) and np.isfinite(slope).all()


def test_normalised_rows_have_length_1_and_zeros_stay():
    x = jnp.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(ops.l2_normalise(x), [[0.6, 0.8], [0, 0]], rtol=1e-6)
    assert np.isfinite(jax.jacobian(ops.l2_normalise)(x)).all()


def test_signed_powers_keep_the_sign():
    x = jnp.array([-4.0, 0.0, 9.0])
    np.testing.assert_allclose(ops.signed_power(x, 0.5), [-2, 0, 3], rtol=1e-6)
    assert np.isfinite(jax.grad(lambda x: ops.signed_power(x, 0.5).sum())(x)).all()
