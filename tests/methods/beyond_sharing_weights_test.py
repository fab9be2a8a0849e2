"""Beyond sharing weights: relations between streams, shared layers, starts."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from transfer_jax import losses, methods, models
from transfer_jax.training import fit, optim

KEY = jax.random.key(1)
SLOW = optax.scale(1e-3)
NAMES = ('encoder', 'classifier', 'target_encoder', 'maps')


class Dense(nn.Module):
    """An encoder of two layers and a norm that compiles fast."""

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        x = nn.tanh(nn.Dense(5, name='dense_1')(x.reshape(len(x), -1)))
        x = models.BatchNorm(name='norm')(x, train=train, domain=domain)
        return nn.Dense(4, name='dense_2')(x), {'dense_1': x}


@pytest.fixture(scope='module')
def make(networks):
    """make(encoder, **options) -> the method."""
    _, classifier, _ = networks(0.5)

    def make(encoder=None, rate=0.05, weight=1.0, momentum=0.0, **options):
        tx = optim.sgd(optim.constant(rate), momentum=momentum)
        return methods.beyond_sharing_weights(
            encoder or Dense(),
            classifier,
            txs={**{name: tx for name in NAMES}, 'maps': optax.chain(tx, SLOW)},
            weight=optim.constant(weight),
            **{'width': None, **options},
        )

    return make


def test_both_streams_start_alike_and_part(make, batch, same_bits):
    method = make()
    state = jax.jit(method.init)(jax.random.key(0), batch())
    same_bits(state.params['encoder'], state.params['target_encoder'])
    image = batch()['source']['image']
    new, metrics = jax.jit(method.step)(state, batch(), KEY)
    assert metrics['train/r_w'] == 0
    predict = jax.jit(method.predict)
    before, after = (
        predict(s, {d: {'image': image} for d in ('source', 'target')})
        for s in (state, new)
    )
    np.testing.assert_array_equal(
        before['source']['logits'], before['target']['logits']
    )
    assert abs(after['source']['logits'] - after['target']['logits']).max() > 1e-4


def test_without_weight_it_is_source_only_bit_for_bit(
    make, supervised, batch, same_bits
):
    """Compared with a batch without a target, because the source stream sees none."""
    method = make(weight=0.0)
    first = jax.jit(method.init)(jax.random.key(0), batch())
    alone = [{'source': batch(t)['source']} for t in range(3)]
    source_only = supervised(Dense())
    start = jax.jit(source_only.init)(jax.random.key(0), batch())
    expected = fit(source_only, start, alone, key=KEY, steps=3)
    end = fit(method, first, [batch(t) for t in range(3)], key=KEY, steps=3)
    for name in ('encoder', 'classifier'):
        same_bits(expected.params[name], end.params[name])
        same_bits(expected.model_state[name], end.model_state[name])
    for name in ('target_encoder', 'maps'):
        same_bits(first.params[name], end.params[name])


@pytest.mark.parametrize(
    'relation', [losses.exponential_map_error, losses.squared_map_error]
)
def test_the_relation_holds_the_streams_together(make, train_on, batch, relation):
    options = {'relation': relation, 'feature_weight': 5.0}
    tied = train_on(make(parameter_weight=1.0, **options), batch(), 20)[1][-1]
    loose = train_on(make(parameter_weight=0.0, **options), batch(), 20)[1][-1]
    for layer in ('dense_1', 'dense_2', 'norm'):
        assert tied[f'train/r_w_{layer}'] < loose[f'train/r_w_{layer}']
    assert tied['train/r_w'] < 0.5 * loose['train/r_w']
    layers = [tied[f'train/r_w_{name}'] for name in ('dense_1', 'dense_2', 'norm')]
    np.testing.assert_allclose(sum(layers), tied['train/r_w'], rtol=1e-6)


def test_the_maps_learn_a_linear_relation(make, batch):
    """Target parameters 2 theta_s + 0.1 of one layer: a goes to 2, b to 0.1."""
    method = make(
        relation=losses.squared_map_error, feature_weight=0.0, parameter_weight=1.0
    )
    state = jax.jit(method.init)(jax.random.key(0), batch())
    params = dict(state.params)
    layer = jax.tree.map(lambda x: 2 * x + 0.1, params['encoder']['dense_2'])
    params['target_encoder'] = {**params['target_encoder'], 'dense_2': layer}

    @jax.jit
    def gradient(maps):
        def error(maps):
            end = state.replace(params={**params, 'maps': maps})
            return method.step(end, batch(), KEY)[1]['train/r_w_dense_2']

        return error(maps), jax.grad(error)(maps)['dense_2']

    maps = params['maps']
    for _ in range(60):
        value, slope = gradient(maps)
        moved = jax.tree.map(lambda m, g: m - 0.02 * g, maps['dense_2'], slope)
        maps = {**maps, 'dense_2': moved}
    assert value < 1e-3
    np.testing.assert_allclose(maps['dense_2']['a'], 2, atol=0.02)
    np.testing.assert_allclose(maps['dense_2']['b'], 0.1, atol=0.02)


def test_mmd_moves_the_target_towards_the_source(make, train_on, batch):
    _, history = train_on(make(feature_weight=5.0), batch(), 20)
    assert history[-1]['train/mmd'] < 0.8 * history[0]['train/mmd']


def test_the_kernel_is_that_of_the_paper(make, batch):
    """MMD^2 with exp(-||u - v||^2 / sigma), biased, of the features by NumPy."""

    class Plain(nn.Module):
        @nn.compact
        def __call__(self, x, *, train, domain=None):
            return nn.Dense(3, name='dense')(x.mean((1, 2))), {}

    method, both = make(Plain(), width=2.0), batch()
    state = jax.jit(method.init)(jax.random.key(0), both)
    _, metrics = jax.jit(method.step)(state, both, KEY)
    outputs = jax.jit(method.predict)(
        state, {name: {'image': part['image']} for name, part in both.items()}
    )
    s, t = (np.asarray(outputs[name]['features'], float) for name in both)

    def mean(u, v):
        far = ((u[:, None] - v[None]) ** 2).sum(-1)
        return np.exp(-far / 2.0).mean()

    expected = mean(s, s) + mean(t, t) - 2 * mean(s, t)
    np.testing.assert_allclose(metrics['train/mmd'], expected, atol=1e-6)


def test_shared_layers_stay_shared(make, train_on, batch):
    method = make(shared=['dense_1/.*', 'norm/.*'])
    state, (*_, metrics) = train_on(method, batch(), 3)
    assert set(state.params['target_encoder']) == {'dense_2'}
    assert set(state.params['maps']) == {'dense_2'}
    assert 'train/r_w_dense_1' not in metrics
    # Statistics are those of the target nevertheless.
    mean = [state.model_state[n]['batch_stats']['norm']['mean'] for n in NAMES[::2]]
    assert abs(mean[0] - mean[1]).max() > 1e-3
    # The target passes through the source's first layer.
    image = {'target': {'image': batch()['target']['image']}}
    zeroed = jax.tree.map(jnp.zeros_like, state.params['encoder']['dense_1'])
    other = {**state.params['encoder'], 'dense_1': zeroed}
    predict = jax.jit(method.predict)
    one, two = (
        predict(state.replace(params={**state.params, 'encoder': encoder}), image)
        for encoder in (state.params['encoder'], other)
    )
    assert abs(one['target']['logits'] - two['target']['logits']).max() > 1e-3


def test_a_pattern_that_matches_nothing_is_refused(make, batch):
    with pytest.raises(ValueError, match='conv_9'):
        jax.eval_shape(make(shared=['conv_9/.*']).init, KEY, batch())


def test_start_from_a_trained_source(make, supervised, batch, same_bits):
    source_only = supervised(Dense())
    trained = jax.jit(source_only.init)(jax.random.key(7), batch())
    trained, _ = jax.jit(source_only.step)(trained, batch(), KEY)
    for shared in ((), ('norm/.*',)):
        fresh = jax.jit(make(shared=shared).init)(jax.random.key(0), batch())
        start = methods.start_streams(fresh, trained)
        assert jax.tree.structure(start) == jax.tree.structure(fresh)
        target = start.params['target_encoder']
        for name in target:
            same_bits(target[name], trained.params['encoder'][name])
        same_bits(start.params['encoder'], trained.params['encoder'])
        same_bits(start.model_state['target_encoder'], trained.model_state['encoder'])


@pytest.mark.parametrize('width', [None, 1.0])
def test_constant_images_give_finite_training(make, train_on, batch, width):
    flat = jax.tree.map(lambda x: np.ones_like(x), batch())
    state, (*_, metrics) = train_on(make(width=width), flat, 2)
    assert all(np.isfinite(value) for value in metrics.values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))


def test_half_precision_encoders(make, train_on, batch):
    encoder = models.SmallNet(2, dtype=jnp.bfloat16)
    state, (*_, metrics) = train_on(make(encoder), batch(), 1)
    for name, value in metrics.items():
        assert value.dtype == jnp.float32 and np.isfinite(value), name
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(state.params))
