"""Batch norm against NumPy: joint, per domain, running statistics, evaluation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models

RNG = np.random.default_rng(0)
X = (RNG.normal(2, 3, (6, 3, 2, 4))).astype(np.float32)
X[2:] += 5
DOMAIN = np.array([0, 0, 1, 1, 1, 1], np.int32)
SCALE, SHIFT = RNG.normal(1, 0.1, 4), RNG.normal(0, 1, 4)


def _apply(domains, x, domain, train=True, stats=None, **fields):
    module = models.BatchNorm(domains, **fields)
    variables = module.init(jax.random.key(0), x, train=False)
    params = {
        'scale': jnp.asarray(SCALE, jnp.float32),
        'shift': jnp.asarray(SHIFT, jnp.float32),
    }
    assert set(variables['params']) == set(params)
    stats = variables['batch_stats'] if stats is None else stats

    @functools.partial(jax.jit, static_argnums=2)
    def call(x, domain, train):
        return module.apply(
            {'params': params, 'batch_stats': stats},
            x,
            train=train,
            domain=domain,
            mutable=['batch_stats'] if train else [],
        )

    y, moved = call(x, domain, train)
    return y, stats, moved.get('batch_stats')


def _normal(x, mean, variance, epsilon=1e-5):
    return (x - mean) / np.sqrt(variance + epsilon) * SCALE + SHIFT


def _moments(x):
    x = x.astype(np.float64).reshape(-1, x.shape[-1])
    return x.mean(0), x.var(0)


@pytest.mark.parametrize('domain', [None, DOMAIN])
def test_joint_statistics_and_their_running_average(domain):
    y, before, after = _apply(1, X, domain, momentum=0.9)
    mean, variance = _moments(X)
    np.testing.assert_allclose(y, _normal(X, mean, variance), atol=1e-5)
    np.testing.assert_array_equal(before['mean'], np.zeros((1, 4)))
    np.testing.assert_array_equal(before['variance'], np.ones((1, 4)))
    np.testing.assert_allclose(after['mean'], [0.1 * mean], rtol=1e-5)
    np.testing.assert_allclose(after['variance'], [0.9 + 0.1 * variance], rtol=1e-5)


def test_statistics_of_each_domain():
    y, _, after = _apply(2, X, DOMAIN, momentum=0.8)
    for d in (0, 1):
        rows = DOMAIN == d
        mean, variance = _moments(X[rows])
        np.testing.assert_allclose(y[rows], _normal(X[rows], mean, variance), atol=1e-5)
        np.testing.assert_allclose(after['mean'][d], 0.2 * mean, rtol=1e-5)
        np.testing.assert_allclose(
            after['variance'][d], 0.8 + 0.2 * variance, rtol=1e-5
        )


def test_a_domain_that_is_absent_keeps_its_statistics():
    stats = {
        'mean': jnp.full((2, 4), 7.0),
        'variance': jnp.full((2, 4), 3.0),
    }
    y, _, after = _apply(2, X, np.ones(6, np.int32), stats=stats)
    np.testing.assert_array_equal(after['mean'][0], 7.0)
    np.testing.assert_array_equal(after['variance'][0], 3.0)
    assert (after['mean'][1] != 7).all() and np.isfinite(y).all()
    np.testing.assert_allclose(y, _normal(X, *_moments(X)), atol=1e-5)


def test_evaluation_uses_the_running_statistics_of_the_domain():
    stats = {
        'mean': jnp.asarray(RNG.normal(size=(2, 4)), jnp.float32),
        'variance': jnp.asarray(RNG.uniform(1, 2, (2, 4)), jnp.float32),
    }
    y, _, _ = _apply(2, X, DOMAIN, train=False, stats=stats)
    for d in (0, 1):
        rows = DOMAIN == d
        expected = _normal(X[rows], stats['mean'][d], stats['variance'][d])
        np.testing.assert_allclose(y[rows], expected, atol=1e-5)
    # Without a domain: the first.
    y, _, _ = _apply(2, X, None, train=False, stats=stats)
    expected = _normal(X, stats['mean'][0], stats['variance'][0])
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_a_large_mean_does_not_cancel():
    """The variance is that of deviations: E[x^2] - E[x]^2 fails in float32."""
    x = (1e4 + RNG.normal(0, 1, (64, 4))).astype(np.float32)
    y, _, _ = _apply(1, x, None)
    np.testing.assert_allclose(y, _normal(x, *_moments(x)), atol=5e-3)


def test_initialising_moves_no_statistics():
    module = models.BatchNorm()
    variables = module.init(jax.random.key(0), X, train=True)
    np.testing.assert_array_equal(variables['batch_stats']['mean'], 0)


def test_half_precision_keeps_statistics_in_float32():
    y, _, after = _apply(1, X.astype(jnp.bfloat16), None)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(after)} == {jnp.dtype('float32')}
