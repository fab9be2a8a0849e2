"""Fine-tuning: starting points, the L2-SP penalty, copies of layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import methods, models
from transfer_jax.training import fit, optim

KEY = jax.random.key(1)
TX = optim.sgd(optim.constant(0.05), momentum=0.0)
TXS = {'encoder': TX, 'classifier': TX}
LAYERS = models.LayeredNet.LAYERS


@pytest.fixture(scope='module')
def make(networks):
    encoder, classifier, _ = networks(0.0)

    def make(**options):
        return methods.fine_tuning(encoder, classifier, txs=TXS, **options)

    return make


@pytest.fixture(scope='module')
def states(make, batch):
    """Two initial states from different keys."""
    init = jax.jit(make().init)
    return init(jax.random.key(0), batch()), init(jax.random.key(1), batch())


def _encoder(state):
    """Parameters and collections of the encoder as NumPy arrays, as in a checkpoint."""
    params = {'encoder': jax.tree.map(np.asarray, state.params['encoder'])}
    return params, {'encoder': jax.tree.map(np.asarray, state.model_state['encoder'])}


def test_a_pretrained_encoder_takes_its_place_and_the_head_stays(states, same_bits):
    fresh, other = states
    other = other.replace(
        model_state=jax.tree.map(lambda leaf: leaf + 1, other.model_state)
    )
    started = methods.start_from(*_encoder(other))(fresh, None)
    same_bits(started.params['encoder'], other.params['encoder'])
    same_bits(started.model_state['encoder'], other.model_state['encoder'])
    same_bits(started.params['classifier'], fresh.params['classifier'])
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(started))
    without = methods.start_from(_encoder(other)[0])(fresh, None)
    same_bits(without.model_state, fresh.model_state)


def test_leaves_are_kept_fresh_or_dropped_by_name(states, same_bits):
    fresh, other = states
    params, model_state = _encoder(other)
    params['encoder']['fc'] = {'kernel': np.ones(3)}
    start = methods.start_from(
        params, model_state, keep=['encoder/conv_1/bias'], drop=['encoder/fc/.*']
    )
    started = start(fresh, None)
    conv = started.params['encoder']['conv_1']
    same_bits(conv['kernel'], other.params['encoder']['conv_1']['kernel'])
    same_bits(conv['bias'], fresh.params['encoder']['conv_1']['bias'])
    assert 'fc' not in started.params['encoder']


def test_what_does_not_fit_is_named(states):
    fresh, other = states
    params, model_state = _encoder(other)
    wide = {'encoder': {**params['encoder'], 'fc': {'kernel': np.ones(3)}}}
    few = {'encoder': {k: v for k, v in params['encoder'].items() if k != 'conv_1'}}
    bent = {'encoder': {**params['encoder'], 'conv_1': {'kernel': np.ones(3)}}}
    bent['encoder']['conv_1']['bias'] = params['encoder']['conv_1']['bias']
    for given, options, message in (
        (wide, {}, 'unexpected .*encoder/fc/kernel'),
        (few, {}, 'missing .*encoder/conv_1/bias'),
        (bent, {}, r'encoder/conv_1/kernel has shape \(3,\)'),
        ({'encodr': {}}, {}, "no network 'encodr'"),
        (params, {'keep': ['encoder/cnv.*']}, "'encoder/cnv.*' matches no leaf"),
        (params, {'drop': ['encoder/fc/.*']}, "'encoder/fc/.*' matches no leaf"),
    ):
        with pytest.raises(ValueError, match=message):
            methods.start_from(given, model_state, **options)(fresh, None)


def test_l2_sp_pulls_towards_the_pretrained_start(make, states, stream, same_bits):
    """With a weight that dominates the labels, it hardly leaves the start."""
    strong = make(alpha=optim.constant(10.0))
    fresh = jax.jit(strong.init)(jax.random.key(0), stream[0])
    start = methods.start_from(*_encoder(states[1]))(fresh, None)
    same_bits(start.extra['start'], states[1].params['encoder'])
    free = make(alpha=optim.constant(0.0))

    def apart(method):
        state = fit(method, start, stream, key=KEY, steps=5)
        same_bits(state.extra, start.extra)
        leaves = jax.tree.map(
            lambda a, b: jnp.sum((a - b) ** 2),
            state.params['encoder'],
            start.params['encoder'],
        )
        return float(sum(jax.tree.leaves(leaves)))

    assert 0 < apart(strong) < 0.5 * apart(free)


def test_beta_shrinks_the_head_by_hand(make, stream):
    """After a step the head differs from that without beta by -rate beta w'."""
    ends = []
    for beta in (0.0, 0.4):
        method = make(alpha=optim.constant(0.0), beta=optim.constant(beta))
        first = jax.jit(method.init)(jax.random.key(0), stream[0])
        ends.append(fit(method, first, stream, key=KEY, steps=1).params['classifier'])
    for w, plain, shrunk in zip(
        jax.tree.leaves(first.params['classifier']),
        *map(jax.tree.leaves, ends),
        strict=True,
    ):
        np.testing.assert_allclose(shrunk - plain, -0.05 * 0.4 * w, atol=1e-6)


def test_beta_alone_is_refused(make):
    with pytest.raises(ValueError, match='give alpha too'):
        make(beta=optim.constant(1.0))


def test_unfrozen_layers_go_on_from_the_stage_before(networks, stream, same_bits):
    encoder, classifier, _ = networks(0.0)
    stages = []
    for rules in optim.unfreezing(['conv_1', 'norm_1']):
        tx = optim.grouped(lambda group: TX, rules)
        txs = {'encoder': tx, 'classifier': TX}
        stages.append(methods.fine_tuning(encoder, classifier, txs=txs))
    ends, state = [], None
    for method in stages:
        fresh = jax.jit(method.init)(jax.random.key(0), stream[0])
        state = fresh if state is None else methods.continue_from_previous(fresh, state)
        state = fit(method, state, stream, key=KEY, steps=2)
        ends.append((fresh, state))
    first, moved = ends[0]
    same_bits(first.params['encoder'], moved.params['encoder'])
    one, two = ends[0][1].params['encoder'], ends[1][1].params['encoder']
    same_bits(one['conv_1'], two['conv_1'])
    assert (one['norm_1']['scale'] != two['norm_1']['scale']).any()
    three = ends[2][1].params['encoder']
    assert (two['conv_1']['kernel'] != three['conv_1']['kernel']).any()


def test_layers_are_chosen_from_either_end():
    assert methods.choose_layers(LAYERS, 'first:3') == LAYERS[:3]
    assert methods.choose_layers(LAYERS, 'last:2') == LAYERS[3:]
    assert methods.choose_layers(LAYERS, 'last:0') == ()
    for wrong, message in (
        ('middle:2', 'first:K or last:K'),
        ('first', 'first:K or last:K'),
        ('last:6', 'only 5 layers'),
    ):
        with pytest.raises(ValueError, match=message):
            methods.choose_layers(LAYERS, wrong)


def test_chosen_layers_are_copied_and_no_others(same_bits):
    net = models.LayeredNet(norm=models.BatchNorm)
    image = jnp.zeros((1, 28, 28, 3))
    one, two = (net.init(jax.random.key(k), image, train=False) for k in (0, 1))
    two = jax.tree.map(lambda leaf: leaf + 1, two)
    chosen = methods.choose_layers(LAYERS, 'last:2')
    for part in ('params', 'batch_stats'):
        mixed = methods.copy_layers(one[part], two[part], chosen)
        for layer in LAYERS:
            same_bits(mixed[layer], (two if layer in chosen else one)[part][layer])
    with pytest.raises(ValueError, match="no layer 'conv_9'"):
        methods.copy_layers(one['params'], two['params'], ['conv_9'])
    narrow = {**two['params'], 'dense_5': {'dense': {'kernel': jnp.ones((2, 2))}}}
    with pytest.raises(ValueError, match='dense_5'):
        methods.copy_layers(one['params'], narrow, ['dense_5'])
