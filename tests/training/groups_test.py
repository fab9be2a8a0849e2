"""Groups of parameters: who moves how fast, who decays, who is frozen at no cost."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from transfer_jax import training, tree
from transfer_jax.training import optim

Group = optim.Group
KEY = jax.random.key(0)


def _network(seed=0):
    """Three square layers, the last with a negative zero to be kept."""
    keys = jax.random.split(jax.random.key(seed), 3)
    made = {
        f'layer_{i}': {
            'kernel': jax.random.normal(key, (4, 4)) / 2,
            'bias': jnp.full(4, -0.0),
        }
        for i, key in enumerate(keys, 1)
    }
    return made


def _answer(params, x):
    for layer in params.values():
        x = jnp.tanh(x @ layer['kernel'] + layer['bias'])
    return x


def _method(tx):
    def init(key, batch):
        return training.state.create({'net': _network()}, {'net': {}}, {'net': tx})

    def loss(state, batch, key):
        answer = _answer(state.params['net'], batch['x'])
        return jnp.mean(jnp.square(answer - batch['y'])), training.Aux({})

    phase = training.Phase('train', loss, ('net',))
    return training.Method(init, training.make_step([phase], {'net': tx}), None)


@pytest.fixture(scope='module')
def batch():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 8, 4)).astype(np.float32)
    return {'x': x, 'y': y}


def _train(tx, batch, steps=3):
    method = _method(tx)
    first = method.init(KEY, batch)
    state, step = first, jax.jit(method.step)
    for _ in range(steps):
        state, metrics = step(state, batch, KEY)
    return first, state


def _adam(group):
    rate = optim.scaled(optim.constant(0.01), group.rate)
    return optim.adam(rate, decay=0.1 * group.decay)


def test_frozen_leaves_keep_their_bits_and_have_no_optimiser_state(batch, same_bits):
    rules = [('layer_[12]/.*', Group(frozen=True))]
    first, state = _train(optim.grouped(_adam, rules), batch)
    for layer in ('layer_1', 'layer_2'):
        same_bits(first.params['net'][layer], state.params['net'][layer])
    for name, leaf in state.params['net']['layer_3'].items():
        assert (leaf != first.params['net']['layer_3'][name]).all(), name
    found = tree.paths(state.opt_state)
    assert any('layer_3/kernel' in path for path in found)
    assert not any('layer_1' in path or 'layer_2' in path for path in found)


def test_a_frozen_negative_zero_is_kept_without_jit_too(same_bits):
    params = _network()
    tx = optim.freeze(_adam(Group()), ['.*'])
    ones = jax.tree.map(jnp.ones_like, params)
    updates, _ = tx.update(ones, tx.init(params), params, step=jnp.asarray(0))
    same_bits(params, optax.apply_updates(params, updates))


def test_what_is_not_frozen_trains_as_if_all_were(batch, same_bits):
    """Up to the lowest free layer the gradient is the same one."""
    _, free = _train(_adam(Group()), batch, 1)
    _, cut = _train(optim.freeze(_adam(Group()), ['layer_1/.*']), batch, 1)
    for layer in ('layer_2', 'layer_3'):
        for name, leaf in free.params['net'][layer].items():
            np.testing.assert_allclose(cut.params['net'][layer][name], leaf, atol=1e-6)


def _compiled(tx, batch):
    method = _method(tx)
    state = method.init(KEY, batch)
    return jax.jit(method.step).lower(state, batch, KEY).compile(), state.opt_state


def _products(tx, batch):
    compiled, _ = _compiled(tx, batch)
    return compiled.as_text().count(' dot(')


@pytest.mark.parametrize('steps', [None, 4])
def test_no_backward_pass_below_the_lowest_free_layer(batch, steps):
    """Products: forwards once a layer; backwards for free kernels and what is above."""

    def products(patterns):
        tx = optim.sgd(optim.constant(0.1))
        tx = tx if steps is None else optim.accumulate(tx, steps)
        return _products(optim.freeze(tx, patterns), batch)

    # Forward 3; a kernel's gradient 1 each; a layer's input 1 each but the first's.
    assert products([]) == 3 + 3 + 2
    assert products(['layer_1/.*']) == 3 + 2 + 1
    assert products(['layer_[12]/.*']) == 3 + 1
    assert products(['layer_3/.*']) == 3 + 2 + 2
    assert products(['.*']) == 3


def test_rates_multiply_and_decay_is_chosen_by_group():
    params = jax.tree.map(jnp.ones_like, _network())
    gradients = jax.tree.map(jnp.ones_like, params)
    rules = [
        ('layer_1/.*', Group(rate=0.5)),
        ('.*/bias', Group(decay=False)),  # not that of layer_1: the first match counts
    ]

    def sgd(group):
        rate = optim.scaled(optim.constant(0.1), group.rate)
        return optim.sgd(rate, momentum=0, decay=2.0 * group.decay)

    tx = optim.grouped(sgd, rules)
    updates, _ = tx.update(gradients, tx.init(params), params, step=jnp.asarray(0))
    expected = {
        'layer_1/kernel': -0.05 * 3,
        'layer_1/bias': -0.05 * 3,
        'layer_2/kernel': -0.1 * 3,
        'layer_2/bias': -0.1,
        'layer_3/kernel': -0.1 * 3,
        'layer_3/bias': -0.1,
    }
    for name, leaf in zip(tree.paths(updates), jax.tree.leaves(updates), strict=True):
        np.testing.assert_allclose(leaf, expected[name], rtol=1e-6, err_msg=name)


def test_a_rule_that_matches_nothing_raises():
    tx = optim.grouped(_adam, [('layer_4/.*', Group(frozen=True))])
    with pytest.raises(ValueError, match="'layer_4/.*' matches no path"):
        tx.init(_network())


def test_layerwise_rates_fall_from_the_top():
    rules = dict(optim.layerwise(['a', 'b.c', 'd'], 0.5))
    assert [group.rate for group in rules.values()] == [0.25, 0.5, 1.0]
    assert list(rules) == ['a/.*', r'b\.c/.*', 'd/.*']
    below = optim.layerwise(['a', 'b'], 0.5, above=1)
    assert [group.rate for _, group in below] == [0.25, 0.5]


def test_unfreezing_adds_a_layer_from_the_top_in_each_stage():
    stages = optim.unfreezing(['a', 'b', 'c'])
    frozen = [[pattern for pattern, group in rules if group.frozen] for rules in stages]
    assert frozen == [['a/.*', 'b/.*', 'c/.*'], ['a/.*', 'b/.*'], ['a/.*'], []]


def test_schedules_of_optax_have_traced_values_side_by_side():
    shape = optax.warmup_cosine_decay_schedule(0.0, 1.0, 10, 110)
    params, steps = {'w': jnp.ones(3)}, jnp.array([0, 5, 10, 60, 110, 200])

    def moves(base, rate_of):
        def move(step):
            tx = optim.sgd(rate_of(base), momentum=0.0)
            return tx.update(params, tx.init(params), params, step=step)[0]['w'][0]

        return jax.vmap(move)(steps)

    bases = jnp.array([0.4, 1.0])
    heights = np.array([0, 0.5, 1, 0.5, 0, 0])
    for rate_of, expected in (
        (lambda base: optim.scaled(shape, base), heights),
        (optim.constant, np.ones(6)),
    ):
        both = jax.jit(jax.vmap(functools.partial(moves, rate_of=rate_of)))(bases)
        np.testing.assert_allclose(both, -bases[:, None] * expected, atol=1e-6)
        assert moves(0.4, rate_of).shape == (6,)  # a plain number


@pytest.mark.parametrize('rules', [[], [('layer_1/.*', Group(frozen=True))]])
def test_accumulated_gradients_are_those_of_one_large_batch(batch, rules, same_bits):
    """Four steps of two examples are one of eight; between them nothing moves."""

    def tx(group):
        return optim.sgd(optim.constant(0.5), momentum=0.9)

    first, whole = _train(optim.grouped(tx, rules), batch, steps=2)
    parts = optim.grouped(lambda group: optim.accumulate(tx(group), 4), rules)
    method = _method(parts)
    state, step = method.init(KEY, batch), jax.jit(method.step)
    for t in range(8):
        part = slice(2 * (t % 4), 2 * (t % 4) + 2)
        before = state.params
        state, _ = step(state, {name: rows[part] for name, rows in batch.items()}, KEY)
        if t % 4 < 3:
            jax.tree.map(np.testing.assert_array_equal, before, state.params)
    for one, two in zip(
        *map(jax.tree.leaves, (whole.params, state.params)), strict=True
    ):
        np.testing.assert_allclose(one, two, atol=1e-6)
    if rules:
        same_bits(first.params['net']['layer_1'], state.params['net']['layer_1'])


def test_accumulation_costs_nothing_for_frozen_leaves(batch):
    """Frozen layers 1 and 2: what accumulation adds is a third of what it adds to all.

    Around the group (optax.MultiSteps on a frozen optimiser) it adds as much as with no
    layer frozen, and their gradients.
    """
    sgd = optim.sgd(optim.constant(0.1))
    patterns = ['layer_[12]/.*']

    def cost(tx):
        compiled, opt_state = _compiled(tx, batch)
        numbers = sum(leaf.size for leaf in jax.tree.leaves(opt_state))
        return np.array([compiled.cost_analysis()['flops'], numbers])

    plain = cost(optim.freeze(sgd, patterns))
    inside = cost(optim.freeze(optim.accumulate(sgd, 4), patterns))
    free = cost(optim.accumulate(sgd, 4)) - cost(sgd)
    around = optax.MultiSteps(optim.freeze(sgd, patterns), 4)
    around = cost(optax.GradientTransformationExtraArgs(around.init, around.update))
    assert inside[1] == plain[1] + 20 + 2  # a sum of gradients a leaf, two counters
    assert (inside - plain < 0.4 * free).all()
    assert (around - plain > free * [1, 0.9]).all()


@pytest.mark.parametrize('outer', [lambda tx: tx, lambda tx: optax.chain(tx)])
def test_accumulation_around_groups_is_refused(outer):
    frozen = optim.freeze(optim.sgd(optim.constant(0.1)), ['layer_1/.*'])
    tx = optim.accumulate(outer(frozen), 4)
    with pytest.raises(ValueError, match=r'write grouped\(.*freeze\(accumulate'):
        tx.init(_network())


def test_accumulation_of_no_step_is_refused():
    with pytest.raises(ValueError, match='gradients of 0 steps'):
        optim.accumulate(optim.sgd(optim.constant(0.1)), 0)
