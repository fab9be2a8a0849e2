"""What every method must do, survive and refuse; cases.py has the methods."""

import re
import types
import warnings

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.methods import cases
from tests.methods.cases import CASES
from transfer_jax import methods, recipes
from transfer_jax.training import checkpoint, fit, optim

KEY = jax.random.key(1)
SGD = optim.sgd(optim.constant(0.05))


@pytest.fixture(scope='module', params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope='module')
def method(case, networks):
    return case.make(*networks(), SGD)


@pytest.fixture(scope='module')
def first(method, stream):
    return jax.jit(method.init)(jax.random.key(0), stream[0])


@pytest.fixture(scope='module')
def train(method, stream):
    """train(state, start, stop, key): so many steps, all by one compiled program."""

    def run(state, start, stop, key=KEY, hooks=()):
        return fit(method, state, stream, key=key, steps=stop, start=start, hooks=hooks)

    return run


def test_the_state_keeps_its_structure_and_types(first, train):
    seen = []
    state = train(first, 0, 1, hooks=[lambda step, state, values: seen.append(values)])
    assert jax.tree.structure(state) == jax.tree.structure(first)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, first)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(first))
    assert (int(first.step), int(state.step)) == (0, 1)
    assert first.step.dtype == jnp.int32
    for name, value in seen[0].items():
        assert value.shape == () and np.isfinite(value), name


def test_every_phase_reports_its_loss(case, first, train):
    seen = []
    train(first, 0, 1, hooks=[lambda step, state, values: seen.append(values)])
    losses = [name for name in seen[0] if name.endswith('/loss')]
    assert sorted(losses) == sorted(f'{phase}/loss' for phase in case.phases)


def test_exactly_the_declared_networks_move(case, first, train, same_bits):
    state = train(first, 0, 2)
    moved = [
        name
        for name, before in first.params.items()
        if checkpoint.digest(before) != checkpoint.digest(state.params[name])
    ]
    assert tuple(sorted(moved)) == case.trains
    assert tuple(sorted(first.params)) == case.trains
    same_bits(first.extra, state.extra)  # what a method keeps beside: none moves yet


def test_one_trace_for_a_whole_stage(method, first, stream):
    chex.clear_trace_counter()
    counted = method._replace(step=chex.assert_max_traces(method.step, n=1))
    state = fit(counted, first, stream, key=KEY, steps=2)
    fit(counted, state, stream, key=KEY, steps=4, start=2)


def test_a_resumed_run_equals_a_straight_one(first, train, tmp_path, same_bits):
    straight = train(first, 0, 6)
    checkpoint.save(tmp_path, train(first, 0, 3), 3)
    restored = checkpoint.restore(tmp_path, jax.eval_shape(lambda: first))
    same_bits(straight, train(restored.state, restored.step, 6))


def test_the_key_matters_and_decides(first, train, same_bits):
    one = train(first, 0, 1)
    same_bits(one, train(first, 0, 1))
    other = train(first, 0, 1, jax.random.key(2))  # other dropout
    assert checkpoint.digest(other) != checkpoint.digest(one)


def test_predict_answers_under_the_domain_it_was_given(
    method, first, train, batch, same_bits
):
    state = train(first, 0, 1)
    predict = jax.jit(method.predict)
    for domain in ('source', 'target'):
        image = batch(3)[domain]['image']
        answers = predict(state, {domain: {'image': image}})
        assert set(answers) == {domain}
        assert {'logits', 'features'} <= set(answers[domain])
        assert answers[domain]['logits'].shape == (len(image), 4)
        same_bits(answers, predict(state, {domain: {'image': image}}))
        # Neither its neighbours in the batch nor dropout have a say in an answer.
        other = image.copy()
        other[4:] += 1
        beside = predict(state, {domain: {'image': other}})
        np.testing.assert_allclose(
            beside[domain]['logits'][:4], answers[domain]['logits'][:4], atol=1e-5
        )


WEIGHTED = [name for name, case in CASES.items() if case.source_only_at_zero]


# What moves a network without a gradient, and what divides a weight out.
MOMENTUM_AND_ADAM = optax.chain(optax.trace(0.9), optim.adam(optim.constant(0.01)))


@pytest.fixture(scope='module')
def source_only(networks, stream):
    """Encoder and classifier after three steps of source only."""
    return _three_steps(CASES['source_only'], networks, stream)


@pytest.mark.parametrize('name', WEIGHTED)
def test_without_weight_it_is_source_only_bit_for_bit(
    name, networks, stream, source_only, same_bits
):
    end = _three_steps(CASES[name], networks, stream)
    for network in ('encoder', 'classifier'):
        same_bits(source_only.params[network], end.params[network])
        same_bits(source_only.model_state[network], end.model_state[network])


def _three_steps(case, networks, stream):
    method = case.make(*networks(), MOMENTUM_AND_ADAM, 0.0)
    state = jax.jit(method.init)(jax.random.key(0), stream[0])
    return fit(method, state, stream, key=KEY, steps=3)


# The linear-time estimate pairs source with target examples.
ANY_NUMBER = [name for name in CASES if name != 'dan_linear']


@pytest.mark.parametrize('name', ANY_NUMBER)
def test_constant_images_few_targets_and_bfloat16_leave_numbers(name, networks, batch):
    """No kernel of width zero, no root of zero, no division by nothing."""
    method = CASES[name].make(*networks(dtype=jnp.bfloat16), SGD)
    given = batch()
    constant = {
        'source': {**given['source'], 'image': np.ones_like(given['source']['image'])},
        'target': {'image': np.ones_like(given['target']['image'][:5])},
    }
    state = jax.jit(method.init)(jax.random.key(0), constant)
    step = jax.jit(method.step)
    for _ in range(2):
        state, metrics = step(state, constant, KEY)
    for path, leaf in jax.tree_util.tree_leaves_with_path((state.params, metrics)):
        assert np.all(np.isfinite(leaf)), jax.tree_util.keystr(path)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(state.params))


# They read one domain.
ONE_DOMAIN = ('multi_task', 'image_labels', 'pronet', 'segmentation', 'two_towers')


@pytest.mark.parametrize('name', CASES)
def test_images_of_unequal_size_are_refused(name, networks, batch):
    if name == 'adda':
        pytest.skip('its two encoders never see one batch')
    if name.startswith(ONE_DOMAIN):
        pytest.skip('it reads one domain')
    method = CASES[name].make(*networks(), SGD)
    both = batch()
    state = jax.eval_shape(method.init, jax.random.key(0), both)
    smaller = {'image': both['target']['image'][:, :4, :4]}
    with pytest.raises(ValueError, match='one size'):
        jax.eval_shape(method.step, state, {**both, 'target': smaller}, KEY)


# The same methods with other arguments.
VARIANTS = ('dan_biased', 'dan_linear', 'deep_jdot_through', 'dsn_mmd')
# Their arguments are taken at different places.
COMPARED = ('dann', 'ddc', 'mcd', 'fine_tuning', 'multi_task')


@pytest.mark.parametrize(
    'name', [n for n in CASES if n not in (*VARIANTS, 'fine_tuning_frozen')]
)
def test_a_number_and_one_optimiser_mean_a_constant_and_one_for_each_network(
    name, networks, batch, monkeypatch
):
    monkeypatch.setattr(recipes.Recipe, '_by_network', lambda self, txs: txs)

    def program(constant, txs):
        namespace = types.SimpleNamespace(**{**vars(optim), 'constant': constant})
        monkeypatch.setattr(cases, 'optim', namespace)
        monkeypatch.setattr(cases, '_txs', txs)
        method = CASES[name].make(*networks(), SGD, 0.5)
        state = jax.eval_shape(method.init, jax.random.key(0), batch())
        step = jax.make_jaxpr(method.step)(state, batch(), KEY)
        return state, re.sub('0x[0-9a-f]+', '', str(step)) if name in COMPARED else ''

    state, step = program(lambda value: value, lambda names, tx: tx)
    assert tuple(sorted(state.opt_state)) == CASES[name].trains
    if name in COMPARED:
        other, expected = program(optim.constant, lambda ns, tx: {n: tx for n in ns})
        assert jax.tree.structure(state) == jax.tree.structure(other)
        assert step == expected


@pytest.mark.parametrize('name', ['dann', 'cdan', 'mada'])
@pytest.mark.parametrize('strength', [1.0, 2, optim.constant(1.0)])
def test_full_reversal_from_the_start_warns(name, strength, networks):
    encoder, classifier, discriminator = networks()
    make = getattr(methods, name)
    nets = (encoder, classifier, discriminator)
    with pytest.warns(UserWarning, match=r'step 0, .* use optim.ganin_strength'):
        make(*nets, txs=SGD, strength=strength)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for mild in (0.0, 0.5, optim.ganin_strength(10), optim.ganin_strength(10, 3.0)):
            make(*nets, txs=SGD, strength=mild)
        jax.eval_shape(  # a traced hyper-parameter is not known
            lambda value: make(*nets, txs=SGD, strength=value) and value, np.float32(1)
        )


def test_dann_with_strength_turns_the_encoder_against_the_discriminator(
    networks, batch
):
    """The encoder's gradient is that of the labels less that of the domains."""
    tx = optim.sgd(optim.constant(1.0), momentum=0.0)
    make = [CASES['dann'].make(*networks(0.0), tx, s) for s in (0.0, 0.5, 1.0)]
    state = jax.jit(make[0].init)(jax.random.key(0), batch())
    step = jax.jit(make[0].step)
    moved = [
        one(state, batch(), KEY)[0].params
        for one in (step, jax.jit(make[1].step), jax.jit(make[2].step))
    ]
    none, half, full = (p['encoder'] for p in moved)
    pulls = jax.tree.map(lambda a, b, c: (b - a, c - a), none, half, full)
    pairs = jax.tree.leaves(pulls, is_leaf=lambda x: isinstance(x, tuple))
    assert max(float(abs(whole).max()) for _, whole in pairs) > 1e-3
    for part, whole in pairs:
        np.testing.assert_allclose(2 * part, whole, atol=1e-5)
    for one in moved[1:]:  # the discriminator learns at full rate whatever the strength
        chex.assert_trees_all_close(
            one['discriminator'], moved[0]['discriminator'], atol=1e-6
        )

    # Along the pull alone the domain loss grows.
    def domain_loss(params):
        return step(state.replace(params=params), batch(), KEY)[1]['train/domain_loss']

    change = jax.tree.map(lambda a, b: 1e-2 * (b - a), none, full)
    pushed = jax.tree.map(jnp.add, state.params['encoder'], change)
    assert domain_loss({**state.params, 'encoder': pushed}) > domain_loss(state.params)


def test_adda_starts_both_encoders_from_the_source(networks, batch, same_bits):
    source_only = CASES['source_only'].make(*networks(), SGD)
    trained = jax.jit(source_only.init)(jax.random.key(0), batch())
    method = CASES['adda'].make(*networks(), SGD)
    fresh = jax.jit(method.init)(jax.random.key(7), batch())
    start = methods.start_from_source(fresh, trained)
    same_bits(start.params['encoder'], trained.params['encoder'])
    same_bits(start.params['discriminator'], fresh.params['discriminator'])
    same_bits(start.extra['params'], trained.params)
    same_bits(start.extra['model_state'], trained.model_state)

    # The source keeps its encoder, the target has its own.
    state, _ = jax.jit(method.step)(start, batch(), KEY)
    image = batch()['source']['image']
    predict = jax.jit(method.predict)
    before, after = (
        predict(s, {d: {'image': image} for d in ('source', 'target')})
        for s in (start, state)
    )
    np.testing.assert_array_equal(before['source']['logits'], after['source']['logits'])
    np.testing.assert_allclose(
        before['source']['logits'], before['target']['logits'], atol=1e-6
    )
    assert abs(after['target']['logits'] - after['source']['logits']).max() > 1e-4


def test_adda_pulls_the_target_towards_the_side_of_the_source(networks, batch):
    """One step of the encoder phase lowers its inverted-label loss."""
    tx = optim.sgd(optim.constant(0.01), momentum=0.0)
    still = optim.sgd(optim.constant(0.0), momentum=0.0)
    encoder, classifier, discriminator = networks(0.0, None)
    method = methods.adda(
        encoder, classifier, discriminator, txs={'encoder': tx, 'discriminator': still}
    )
    step = jax.jit(method.step)
    state = jax.jit(method.init)(jax.random.key(0), batch())
    losses = []
    for _ in range(3):
        state, metrics = step(state, batch(), KEY)
        losses.append(float(metrics['encoder/loss']))
    assert losses[0] > losses[1] > losses[2]
