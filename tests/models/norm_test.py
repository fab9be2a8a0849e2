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
PARAMS = {'scale': jnp.asarray(SCALE), 'shift': jnp.asarray(SHIFT)}


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


@pytest.mark.parametrize(
    'norm', [models.BatchNorm(1), models.BatchNorm(2), models.AutoDial()]
)
def test_a_single_vector_of_a_domain_is_refused(norm):
    """Its variance is 0: it would be normalised to the shift, whatever it is."""
    x = np.float32(RNG.normal(size=(norm.domains, 3)))
    domain = np.array([1, 0]) if norm.domains == 2 else None
    variables = norm.init(jax.random.key(0), x, train=False)

    def train(x, domain):
        norm.apply(variables, x, train=True, domain=domain, mutable=['batch_stats'])

    with pytest.raises(ValueError, match='one vector of domain 0.* two or more images'):
        jax.eval_shape(lambda x: train(x, domain), x)
    twice = None if domain is None else np.tile(domain, 2)
    jax.eval_shape(lambda x: train(x, twice), np.tile(x, (2, 1)))
    maps = x[:, None, None].repeat(2, 1)  # two positions
    jax.eval_shape(lambda x: train(x, domain), maps)


def test_a_single_vector_whose_statistics_are_not_used_is_not_refused():
    x, domain = X[:3, 0, 0], np.array([0, 0, 1])
    y, *_ = _apply(2, x, domain, by=0)
    mean, variance = _moments(x[:2])
    np.testing.assert_allclose(y, _normal(x, mean, variance), atol=1e-4)


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


TWO = {
    'mean': jnp.asarray(RNG.normal(size=(2, 4)), jnp.float32),
    'variance': jnp.asarray(RNG.uniform(1, 2, (2, 4)), jnp.float32),
}
SOURCE_ROWS = DOMAIN == 0


def _moved(after, momentum=0.9):
    """The running statistics follow those of each domain's own examples."""
    for d in (0, 1):
        mean, variance = _moments(X[DOMAIN == d])
        for name, new in (('mean', mean), ('variance', variance)):
            expected = momentum * TWO[name][d] + (1 - momentum) * new
            np.testing.assert_allclose(after[name][d], expected, rtol=1e-5)


def test_dsbn_has_scale_and_shift_of_each_domain():
    module = models.BatchNorm(2, separate_affine=True)
    params = {
        'scale': RNG.normal(1, 0.1, (2, 4)).astype(np.float32),
        'shift': RNG.normal(0, 1, (2, 4)).astype(np.float32),
    }
    fresh = module.init(jax.random.key(0), X, train=False)['params']
    assert jax.tree.map(jnp.shape, fresh) == jax.tree.map(np.shape, params)
    variables = {'params': params, 'batch_stats': TWO}

    def expected(mean, variance, d):
        normal = (X[DOMAIN == d] - mean) / np.sqrt(variance + 1e-5)
        return normal * params['scale'][d] + params['shift'][d]

    y, moved = module.apply(
        variables, X, train=True, domain=DOMAIN, mutable=['batch_stats']
    )
    predicted = module.apply(variables, X, train=False, domain=DOMAIN)
    for d in (0, 1):
        of_batch = expected(*_moments(X[DOMAIN == d]), d)
        np.testing.assert_allclose(y[DOMAIN == d], of_batch, atol=1e-5)
        running = expected(TWO['mean'][d], TWO['variance'][d], d)
        np.testing.assert_allclose(predicted[DOMAIN == d], running, atol=1e-5)
    _moved(moved['batch_stats'])


def test_source_statistics_normalise_the_target_too():
    policy = {'by': 0}
    y, _, after = _apply(2, X, DOMAIN, stats=TWO, **policy)
    np.testing.assert_allclose(y, _normal(X, *_moments(X[SOURCE_ROWS])), atol=1e-5)
    _moved(after)
    y, _, _ = _apply(2, X, DOMAIN, train=False, stats=TWO, **policy)
    expected = _normal(X, TWO['mean'][0], TWO['variance'][0])
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_adabn_predicts_a_target_as_it_was_seen_in_training():
    """Two layers: the second layer's statistics are of the first layer's output."""
    layers = [models.BatchNorm(2, momentum=0.0) for _ in range(2)]

    def run(x, states, train):
        moved = []
        for layer, state in zip(layers, states, strict=True):
            variables = {'params': PARAMS, 'batch_stats': state}
            x, after = layer.apply(
                variables, x, train=train, domain=DOMAIN, mutable=['batch_stats']
            )
            x = jnp.tanh(x)
            moved.append(after['batch_stats'])
        return x, moved

    seen, states = run(X, [TWO, TWO], True)
    again, _ = run(X, states, False)
    np.testing.assert_allclose(again, seen, atol=1e-5)


def test_source_statistics_without_source_examples_are_the_running_ones():
    y, _, after = _apply(2, X, np.ones(6, np.int32), stats=TWO, by=0)
    expected = _normal(X, TWO['mean'][0], TWO['variance'][0])
    np.testing.assert_allclose(y, expected, atol=1e-5)
    np.testing.assert_array_equal(after['mean'][0], TWO['mean'][0])


def _dial(dial, x=X, domain=DOMAIN, train=True):
    """(y, new statistics) of AutoDial with this parameter."""
    params = {'scale': SCALE, 'shift': SHIFT, 'dial': dial}
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), params)
    y, moved = models.AutoDial().apply(
        {'params': params, 'batch_stats': TWO},
        x,
        train=train,
        domain=domain,
        mutable=['batch_stats'],
    )
    return y, moved['batch_stats']


def test_autodial_starts_at_three_quarters():
    params = models.AutoDial().init(jax.random.key(0), X, train=False)['params']
    assert params['dial'] == 0 and params['dial'].shape == ()


@pytest.mark.parametrize('dial', [-1.0, 0.0, 2.0])
def test_autodial_normalises_by_the_mixture(dial):
    """Weighted moments of all positions.

    The weights of the example's domain sum to alpha, those of the other to 1 - alpha.
    """
    alpha = (1 + 1 / (1 + np.exp(-dial))) / 2
    y, after = _dial(dial)
    _moved(after)
    for d in (0, 1):
        own, other = (
            X[rows].reshape(-1, 4).astype(np.float64)
            for rows in (DOMAIN == d, DOMAIN != d)
        )
        weight = np.concatenate(
            [
                np.full(len(own), alpha / len(own)),
                np.full(len(other), (1 - alpha) / len(other)),
            ]
        )
        both = np.concatenate([own, other])
        mean = weight @ both
        variance = weight @ (both - mean) ** 2
        expected = _normal(X[DOMAIN == d], mean, variance)
        np.testing.assert_allclose(y[DOMAIN == d], expected, atol=2e-5)


def test_autodial_is_separate_at_one_end():
    y, _ = _dial(40.0)
    separate, _, _ = _apply(2, X, DOMAIN)
    np.testing.assert_allclose(y, separate, atol=1e-5)


def test_autodial_of_equal_parts_is_joint_at_the_other_end():
    domain = np.array([0, 0, 0, 1, 1, 1], np.int32)
    y, _ = _dial(-40.0, domain=domain)
    joint, _, _ = _apply(1, X, domain)
    np.testing.assert_allclose(y, joint, atol=1e-5)


def test_autodial_predicts_by_the_mixture_of_running_statistics():
    y, after = _dial(0.0, train=False)
    np.testing.assert_array_equal(after['mean'], TWO['mean'])
    for d in (0, 1):
        (m, n), (v, w) = ((TWO[k][d], TWO[k][1 - d]) for k in ('mean', 'variance'))
        mean = 0.75 * m + 0.25 * n
        variance = 0.75 * (v + (m - mean) ** 2) + 0.25 * (w + (n - mean) ** 2)
        expected = _normal(X[DOMAIN == d], mean, variance)
        np.testing.assert_allclose(y[DOMAIN == d], expected, atol=1e-5)


def test_autodial_learns_its_dial():
    def loss(dial):
        return jnp.sum(jnp.sin(_dial(dial)[0]))

    slope = jax.jit(jax.grad(loss))(0.5)
    difference = (loss(0.51) - loss(0.49)) / 0.02
    np.testing.assert_allclose(slope, difference, rtol=0.02)
    assert abs(slope) > 0.1


def test_autodial_without_one_domain_mixes_in_its_running_statistics():
    y, after = _dial(0.0, domain=np.zeros(6, np.int32))
    m, v = _moments(X)
    n, w = TWO['mean'][1], TWO['variance'][1]
    mean = 0.75 * m + 0.25 * n
    variance = 0.75 * (v + (m - mean) ** 2) + 0.25 * (w + (n - mean) ** 2)
    np.testing.assert_allclose(y, _normal(X, mean, variance), atol=1e-5)
    np.testing.assert_array_equal(after['mean'][1], TWO['mean'][1])
    np.testing.assert_array_equal(after['variance'][1], TWO['variance'][1])


def test_frozen_statistics_normalise_in_training_and_do_not_move():
    mean, variance = RNG.normal(size=(1, 4)), RNG.uniform(1, 2, (1, 4))
    stats = {'mean': jnp.asarray(mean), 'variance': jnp.asarray(variance)}
    y, _, after = _apply(1, X, None, stats=stats, frozen=True)
    np.testing.assert_allclose(y, _normal(X, mean[0], variance[0]), atol=1e-5)
    np.testing.assert_array_equal(after['mean'], stats['mean'])
    np.testing.assert_array_equal(after['variance'], stats['variance'])
    evaluated, _, _ = _apply(1, X, None, train=False, stats=stats)
    np.testing.assert_array_equal(y, evaluated)


def test_an_example_has_no_say_in_its_neighbours_under_frozen_statistics():
    y, _, _ = _apply(1, X, None, frozen=True)
    other = X.copy()
    other[3:] += 1
    beside, _, _ = _apply(1, other, None, frozen=True)
    np.testing.assert_array_equal(y[:3], beside[:3])
