"""Residual transfer: the target's parameters, and how the rank of residuals falls."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import methods, models
from transfer_jax.training import fit, optim

KEY = jax.random.key(1)
NAMES = ('encoder', 'classifier', 'discriminator', 'residual')


class Dense(nn.Module):
    """An encoder of two layers and a norm that compiles fast."""

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        x = x.mean((1, 2))
        x = nn.tanh(nn.Dense(6, name='dense_1')(x))
        x = models.BatchNorm(name='norm')(x, train=train, domain=domain)
        return nn.Dense(5, use_bias=False, name='dense_2')(x), {'dense_1': x}


@pytest.fixture(scope='module')
def make(networks):
    """make(encoder, **options) -> the method, by default without proximal steps."""

    def make(encoder=None, rate=0.05, weight=1.0, momentum=0.0, **options):
        _, classifier, discriminator = networks(0.5)
        tx = optim.sgd(optim.constant(rate), momentum=momentum)
        return methods.residual_transfer(
            encoder or Dense(),
            classifier,
            discriminator,
            txs={name: tx for name in NAMES},
            weight=optim.constant(weight),
            rate=optim.constant(rate),
            **{'rank_weight': 0.0, **options},
        )

    return make


def _theta(params):
    """(6, 4) of the first layer: a row per output, the bias in the last column."""
    layer = params['encoder']['dense_1']
    return np.concatenate([layer['kernel'].T, layer['bias'][:, None]], 1)


def _residual(params):
    factors = {k: np.asarray(v) for k, v in params['residual']['dense_1'].items()}
    inner = factors['a1'].T @ _theta(params) @ factors['a2'] + factors['d']
    return factors['b1'] @ np.tanh(inner) @ factors['b2'].T, inner


def test_the_target_is_the_source_plus_the_residual(make, batch):
    """Compared with an encoder whose parameters NumPy has changed."""
    method = make()
    state = jax.jit(method.init)(jax.random.key(0), batch())
    params = state.params
    assert set(params['residual']) == {'dense_1', 'dense_2'}
    theta = _theta(params) + _residual(params)[0]
    second = {k: np.asarray(v) for k, v in params['residual']['dense_2'].items()}
    kernel = np.asarray(params['encoder']['dense_2']['kernel'])
    inner = second['a1'].T @ kernel.T @ second['a2'] + second['d']
    move = second['b1'] @ np.tanh(inner) @ second['b2'].T
    moved = {
        **params['encoder'],
        'dense_1': {'kernel': theta[:, :-1].T, 'bias': theta[:, -1]},
        'dense_2': {'kernel': kernel + move.T},
    }
    image = batch()['source']['image']
    predict = jax.jit(method.predict)
    actual = predict(state, {d: {'image': image} for d in ('source', 'target')})
    by_hand = predict(
        state.replace(params={**params, 'encoder': moved}), {'source': {'image': image}}
    )
    one, other = actual['target']['logits'], by_hand['source']['logits']
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert abs(one - actual['source']['logits']).max() > 1e-3


def test_without_weight_it_is_source_only_bit_for_bit(
    make, supervised, batch, same_bits
):
    """Compared with a batch without a target, because the source stream sees none."""
    method = make(weight=0.0, rank_weight=10.0)
    first = jax.jit(method.init)(jax.random.key(0), batch())
    alone = [{'source': batch(t)['source']} for t in range(3)]
    source_only = supervised(Dense())
    start = jax.jit(source_only.init)(jax.random.key(0), batch())
    expected = fit(source_only, start, alone, key=KEY, steps=3)
    end = fit(method, first, [batch(t) for t in range(3)], key=KEY, steps=3)
    for name in ('encoder', 'classifier'):
        same_bits(expected.params[name], end.params[name])
        same_bits(expected.model_state[name], end.model_state[name])
    for name in ('discriminator', 'residual'):
        same_bits(first.params[name], end.params[name])


def test_the_proximal_step_drops_rows_and_columns_for_good(make, train_on, batch):
    free, _ = train_on(make(), batch(), 1)
    method = make(rank_weight=1.5, momentum=0.9)
    state, seen = train_on(method, batch(), 12)
    ranks = [one['train/rank_dense_1'] for one in seen]
    assert ranks[0] <= 4 and ranks[-1] < ranks[0]
    assert ranks == sorted(ranks, reverse=True)
    move, inner = _residual(state.params)
    assert np.linalg.matrix_rank(move, tol=1e-6) <= ranks[-1]
    rows, columns = (int(seen[-1][f'train/{k}_dense_1']) for k in ('rows', 'columns'))
    assert min(rows, columns) == ranks[-1]
    assert (np.abs(inner).max(1) > 0).sum() <= rows
    assert (np.abs(inner).max(0) > 0).sum() <= columns
    # Without the proximal step none is dropped.
    assert (np.abs(_residual(free.params)[1]).max(0) > 0).all()
    # Permanently: many more steps without shrinking restore none.
    _, later = train_on(make(momentum=0.9), batch(), 5, state)
    assert later[-1]['train/rank_dense_1'] == ranks[-1]


def test_the_proximal_step_is_that_of_columns_then_of_rows(make, train_on, batch):
    """T after a step with it is the shrunk T after the same step without it."""
    amount = 2 * 0.05 * 0.05
    _, inner = _residual(train_on(make(), batch(), 1)[0].params)
    c, n = _theta(train_on(make(), batch(), 0)[0].params).shape

    def shrink(x, threshold, axis):
        length = np.linalg.norm(x, axis=axis, keepdims=True)
        return x * np.maximum(0, 1 - threshold / length)

    expected = shrink(shrink(inner, amount * np.sqrt(n), 0), amount * np.sqrt(c), 1)
    _, actual = _residual(train_on(make(rank_weight=0.05), batch(), 1)[0].params)
    assert abs(expected - inner).max() > 1e-4
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_proximal_steps_are_taken_every_so_often(make, train_on, batch, same_bits):
    often, _ = train_on(make(rank_weight=0.2), batch(), 1)
    seldom, _ = train_on(make(rank_weight=0.2, every=2), batch(), 1)
    never, _ = train_on(make(), batch(), 1)
    same_bits(seldom.params, never.params)
    assert (
        abs(
            often.params['residual']['dense_1']['d']
            - never.params['residual']['dense_1']['d']
        ).max()
        > 1e-4
    )


def test_no_rank_is_left_and_training_goes_on(make, train_on, batch):
    state, seen = train_on(make(rank_weight=100.0), batch(), 3)
    assert seen[-1]['train/rank_dense_1'] == seen[-1]['train/rank_dense_2'] == 0
    assert seen[-1]['train/residual'] == 0
    assert all(np.isfinite(value) for value in seen[-1].values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))
    np.testing.assert_array_equal(_residual(state.params)[0], 0)


def test_the_stream_loss_holds_the_size_of_the_residual_near_one(make, train_on, batch):
    _, seen = train_on(make(stream_weight=2.0, rate=0.02), batch(), 30)
    first, last = (abs(seen[i]['train/residual'] - 1) for i in (0, -1))
    assert last < 0.5 * first


def test_shared_layers_have_no_residual(make, train_on, batch):
    method = make(shared=['dense_2/.*'])
    state, seen = train_on(method, batch(), 1)
    assert set(state.params['residual']) == {'dense_1'}
    assert 'train/rank_dense_2' not in seen[0]
    with pytest.raises(ValueError, match='conv_9'):
        jax.eval_shape(make(shared=['conv_9/.*']).init, KEY, batch())


def test_start_from_a_trained_source(make, supervised, batch, same_bits):
    source_only = supervised(Dense())
    trained = jax.jit(source_only.init)(jax.random.key(7), batch())
    trained, _ = jax.jit(source_only.step)(trained, batch(), KEY)
    fresh = jax.jit(make().init)(jax.random.key(0), batch())
    start = methods.start_residual(fresh, trained)
    assert jax.tree.structure(start) == jax.tree.structure(fresh)
    for name in ('encoder', 'classifier'):
        same_bits(start.params[name], trained.params[name])
    same_bits(start.params['residual'], fresh.params['residual'])
    same_bits(start.model_state['residual'], trained.model_state['encoder'])


def test_constant_images_give_finite_training(make, train_on, batch):
    flat = jax.tree.map(lambda x: np.ones_like(x), batch())
    state, seen = train_on(make(rank_weight=0.1), flat, 2)
    assert all(np.isfinite(value) for value in seen[-1].values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))


def test_half_precision_encoders_of_convolutions(make, batch):
    encoder = models.SmallNet(2, dtype=jnp.bfloat16)
    method = make(encoder, rank_weight=0.1)
    state = jax.jit(method.init)(jax.random.key(0), batch())
    new, metrics = jax.jit(method.step)(state, batch(), KEY)
    assert set(new.params['residual']) == {'conv_1', 'conv_2', 'conv_3'}
    for name, value in metrics.items():
        assert value.dtype == jnp.float32 and np.isfinite(value), name
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(new.params))
