"""Losses on weights, against NumPy in float64 and where float32 would overflow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from transfer_jax import losses


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.normal(size=7), rng.normal(size=7)


def test_map_errors_against_numpy(pair):
    source, target = pair
    error = np.sum((0.5 * source + 0.1 - target) ** 2)
    assert 1 < error < 20
    with jax.enable_x64(True):
        one, other = map(jnp.asarray, pair)
        given = {'scale': jnp.asarray(0.5), 'shift': jnp.asarray(0.1)}
        actual = jax.jit(losses.squared_map_error)(one, other, **given)
        np.testing.assert_allclose(actual, error, rtol=1e-12)
        actual = jax.jit(losses.exponential_map_error)(one, other, **given)
        np.testing.assert_allclose(actual, np.exp(error) - 1, rtol=1e-12)


def test_l2_sp_by_hand():
    shared = {'a': jnp.asarray([1.0, 2.0]), 'b': jnp.asarray([[3.0]])}
    start = {'a': jnp.asarray([1.0, 0.0]), 'b': jnp.asarray([[4.0]])}
    new = {'logits': jnp.asarray([2.0, -1.0])}

    def loss(shared, start, new):
        return losses.l2_sp(shared, start, new, alpha=0.5, beta=0.1)

    # 0.25 (0 + 4 + 1) + 0.05 (4 + 1)
    np.testing.assert_allclose(loss(shared, start, new), 1.25 + 0.25, rtol=1e-6)
    pulls = jax.grad(loss, (0, 1, 2))(shared, start, new)
    np.testing.assert_allclose(pulls[0]['a'], [0.0, 1.0])
    np.testing.assert_allclose(pulls[0]['b'], [[-0.5]])
    np.testing.assert_array_equal(pulls[1]['a'], 0)  # the start has no gradient
    np.testing.assert_allclose(pulls[2]['logits'], [0.2, -0.1], rtol=1e-6)


def test_equal_up_to_the_map_is_zero(pair):
    source = jnp.asarray(pair[0], jnp.float32)
    for loss in (losses.squared_map_error, losses.exponential_map_error):
        assert loss(source, 2 * source + 0.5, scale=2.0, shift=0.5) < 1e-10


def test_far_off_the_exponential_goes_on_as_its_tangent(pair):
    def loss(error):
        x = jnp.sqrt(error)[None]
        return losses.exponential_map_error(
            x, jnp.zeros_like(x), scale=1.0, shift=0.0, limit=3.0
        )

    with jax.enable_x64(True):
        for error in (2.9, 3.1, 5.0):
            expected = np.exp(min(error, 3)) - 1 + np.exp(3) * max(error - 3, 0)
            np.testing.assert_allclose(loss(error), expected, rtol=1e-12)
            check_grads(loss, (error,), order=1, modes=['rev'])


def test_a_large_error_stays_finite_in_float32():
    x = jnp.full(1000, 3.0)

    def loss(x):
        return losses.exponential_map_error(x, 0 * x, scale=1.0, shift=0.0)

    value, slope = jax.jit(jax.value_and_grad(loss))(x)
    assert np.isfinite(value) and np.isfinite(slope).all()
    assert (slope > 0).all()


def test_the_barrier_is_smallest_at_one():
    with jax.enable_x64(True):
        for size in (0.2, 1.0, 3.0):
            actual = losses.residual_barrier(jnp.asarray(size))
            np.testing.assert_allclose(actual, size - np.log(size), rtol=1e-12)
        assert jax.grad(losses.residual_barrier)(jnp.asarray(1.0)) == 0


def test_no_residual_is_a_number_without_a_pull():
    def loss(x):
        return losses.residual_barrier(jnp.sum(x**2))

    value, slope = jax.value_and_grad(loss)(jnp.zeros(3))
    assert np.isfinite(value)
    np.testing.assert_array_equal(slope, 0)
