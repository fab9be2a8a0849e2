"""Heads with score maps: shapes, class-wise means, the learned sharpness."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models, ops


def features(seed=0):
    return np.random.default_rng(seed).normal(size=(2, 3, 4, 5)).astype(np.float32)


def drawn(head, x, seed=0):
    """Parameters of the head, with maps that are not 0."""
    params = head.init(jax.random.key(0), x, train=False)['params']
    kernel = params['maps']['kernel']
    assert (kernel == 0).all()
    kernel = np.random.default_rng(seed).normal(size=kernel.shape).astype(np.float32)
    return {**params, 'maps': {**params['maps'], 'kernel': kernel}}


def test_the_average_of_maps_is_a_linear_classifier_of_average_features():
    head, x = models.ScoreMaps(3), features()
    params = drawn(head, x)
    scores, taps = jax.jit(functools.partial(head.apply, train=False))(
        {'params': params}, x
    )
    kernel, bias = params['maps']['kernel'][0, 0], params['maps']['bias']
    np.testing.assert_allclose(scores, x.mean((1, 2)) @ kernel + bias, atol=1e-5)
    assert taps['maps'].shape == (2, 3, 4, 3)
    expected = ops.class_activation_maps(x, kernel, bias)
    np.testing.assert_allclose(taps['maps'], expected, atol=1e-5)


def test_several_maps_of_a_class_are_averaged_before_the_pool():
    head = models.ScoreMaps(3, pool=ops.global_max, per_class=4)
    x = features(1)
    variables = {'params': drawn(head, x)}
    scores, taps = head.apply(variables, x, train=False)
    assert variables['params']['maps']['kernel'].shape == (1, 1, 5, 12)
    np.testing.assert_allclose(scores, taps['maps'].max((1, 2)), rtol=1e-6)


def test_the_maps_of_a_class_stay_identical():
    """From 0: the gradient of one map, a quarter for each of four."""
    x = features(3)
    pool = functools.partial(ops.weldon, highest=2, lowest=2)

    def gradient(per_class):
        head = models.ScoreMaps(3, pool=pool, per_class=per_class)
        params = head.init(jax.random.key(0), x, train=False)['params']

        def loss(params):
            scores = head.apply({'params': params}, x, train=False)[0]
            return jnp.mean((scores - 1) ** 2)

        kernel = jax.grad(loss)(params)['maps']['kernel']
        return np.asarray(kernel).reshape(5, 3, per_class)

    one, four = gradient(1), gradient(4)
    assert np.abs(one).max() > 0.01
    np.testing.assert_allclose(four, np.repeat(one / 4, 4, -1), rtol=1e-5)


def test_sharpness_begins_where_it_was_put_and_learns():
    head = models.ScoreMaps(3, pool=ops.soft_pool, sharpness=2.0)
    x = features(2)
    variables = {'params': drawn(head, x)}
    scores, taps = head.apply(variables, x, train=False)
    expected = ops.soft_pool(taps['maps'], 2.0)
    np.testing.assert_allclose(scores, expected, atol=1e-5)

    def total(variables):
        return jnp.sum(head.apply(variables, x, train=False)[0])

    slope = jax.grad(total)(variables)['params']['sharpness']
    assert slope.shape == (3,) and (slope > 0).all()


def test_a_vector_of_features_is_refused():
    with pytest.raises(ValueError, match='cut the network before its average pool'):
        models.ScoreMaps(3).init(jax.random.key(0), jnp.zeros((2, 5)), train=False)
