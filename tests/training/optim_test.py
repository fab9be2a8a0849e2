"""Schedules at known points; the step of the state decides; what is frozen stays."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from transfer_jax.training import optim

PARAMS = {'body': {'kernel': jnp.ones(3)}, 'head': {'kernel': jnp.full(3, 2.0)}}
GRADS = jax.tree.map(jnp.ones_like, PARAMS)


def _update(tx, step=0, state=None, params=PARAMS):
    tx = optax.with_extra_args_support(tx)
    state = tx.init(params) if state is None else state
    apply = jax.jit(lambda g, s, p, step: tx.update(g, s, p, step=step))
    updates, state = apply(GRADS, state, params, jnp.asarray(step))
    return optax.apply_updates(params, updates), state


def test_ganins_rate():
    rate = jax.jit(optim.ganin_rate(1000))
    assert rate(0) == np.float32(0.01)
    for step in (100, 500, 1000):
        expected = 0.01 / (1 + 10 * step / 1000) ** 0.75
        np.testing.assert_allclose(rate(step), expected, rtol=1e-6)
    np.testing.assert_allclose(rate(1000), 0.0016556, rtol=1e-4)
    np.testing.assert_allclose(optim.ganin_rate(10, 0.5)(0), 0.5)


def test_ganins_strength():
    strength = jax.jit(optim.ganin_strength(1000))
    assert strength(0) == 0
    for step in (100, 500, 1000):
        expected = 2 / (1 + np.exp(-10 * step / 1000)) - 1
        np.testing.assert_allclose(strength(step), expected, rtol=1e-5)
    np.testing.assert_allclose(strength(100), 0.46212, rtol=1e-4)
    np.testing.assert_allclose(strength(1000), 0.99991, rtol=1e-4)
    half = optim.ganin_strength(1000, 0.5)
    np.testing.assert_allclose(half(500), strength(500) / 2, rtol=1e-6)


def test_the_rate_is_that_of_the_step_of_the_state():
    """However often the optimiser itself was called."""
    tx = optim.by_step(lambda step: jnp.where(step < 5, 1.0, 0.25))
    moved, state = _update(tx, step=7)
    np.testing.assert_allclose(moved['body']['kernel'], 0.75)
    moved, _ = _update(tx, step=2, state=state)
    np.testing.assert_allclose(moved['body']['kernel'], 0.0)


def test_momentum_by_hand():
    tx = optim.sgd(optim.constant(0.1), momentum=0.9)
    once, state = _update(tx)
    twice, _ = _update(tx, 1, state, once)
    np.testing.assert_allclose(once['body']['kernel'], 1 - 0.1, rtol=1e-6)
    np.testing.assert_allclose(twice['body']['kernel'], 0.9 - 0.1 * 1.9, rtol=1e-6)


def test_l2_decay_of_sgd_passes_through_the_momentum():
    moved, _ = _update(optim.sgd(optim.constant(0.1), momentum=0.0, decay=0.5))
    np.testing.assert_allclose(moved['head']['kernel'], 2 - 0.1 * 2.0, rtol=1e-6)


def test_adam_by_hand():
    moved, state = _update(optim.adam(optim.constant(0.01)))
    np.testing.assert_allclose(moved['body']['kernel'], 1 - 0.01, rtol=1e-5)
    moved, _ = _update(optim.adam(optim.constant(0.01), decay=0.5))
    # Decoupled: the decay is not divided by the second moment.
    np.testing.assert_allclose(
        moved['head']['kernel'], 2 - 0.01 * (1 + 0.5 * 2), rtol=1e-5
    )


@pytest.mark.parametrize(
    'tx',
    [
        optim.sgd(optim.constant(0.1), decay=0.5),
        optim.adam(optim.constant(0.1), decay=0.5),
    ],
)
def test_frozen_leaves_do_not_move_even_by_decay(tx):
    frozen = optim.freeze(tx, ['body/.*'])
    moved, state = PARAMS, None
    for step in range(3):
        moved, state = _update(frozen, step, state, moved)
    np.testing.assert_array_equal(moved['body']['kernel'], PARAMS['body']['kernel'])
    assert (moved['head']['kernel'] < PARAMS['head']['kernel']).all()
    free, _ = _update(tx)
    np.testing.assert_array_equal(
        _update(frozen)[0]['head']['kernel'], free['head']['kernel']
    )


def test_a_pattern_that_freezes_nothing_raises():
    tx = optim.freeze(optim.sgd(optim.constant(0.1)), ['bdoy/.*'])
    with pytest.raises(ValueError, match="'bdoy/.*' matches no path"):
        tx.init(PARAMS)


def test_a_number_is_a_schedule_and_one_optimiser_a_mapping():
    for value in (0.25, 1, np.float32(0.5), np.array(0.5), jnp.float32(2)):
        schedule = optim.as_schedule(value)
        assert schedule(0) == schedule(9) == value
        assert jnp.asarray(schedule(0)).dtype == jnp.float32
    rate = optim.ganin_rate(10)
    assert optim.as_schedule(rate) is rate
    both = [_update(optim.adam(r, decay=0.1))[0] for r in (0.1, optim.constant(0.1))]
    jax.tree.map(np.testing.assert_array_equal, *both)
    np.testing.assert_allclose(optim.scaled(0.5, 3)(0), 1.5)
    tx = optim.sgd(0.1)
    assert optim.by_network(tx, ['a', 'b']) == {'a': tx, 'b': tx}
    assert optim.by_network({'a': tx}, ['a', 'b']) == {'a': tx}


@pytest.mark.parametrize('value', [float('nan'), np.inf])
def test_a_number_that_is_not_finite_is_no_schedule(value):
    with pytest.raises(ValueError, match=f'weight is {value}: give a finite number'):
        optim.as_schedule(value, 'weight')


@pytest.mark.parametrize('value', [None, '1.0', True, [1.0], np.ones(3)])
def test_what_is_no_schedule_is_refused(value):
    with pytest.raises(ValueError, match='strength must be a number or a function'):
        optim.as_schedule(value, 'strength')
    with pytest.raises(ValueError, match='rate must be a number or a function'):
        optim.sgd(value)
    with pytest.raises(ValueError, match=r'txs must be an optimiser or \{network'):
        optim.by_network(value, ['a'])


@pytest.mark.parametrize(
    'make',
    [
        lambda rate: optim.sgd(rate),
        lambda rate: optim.adam(rate),
        lambda rate: optim.ganin_rate(10, rate),
    ],
)
def test_a_negative_rate_is_refused(make):
    for rate in (-1.0, -1, float('nan')):
        with pytest.raises(ValueError, match=f'is {rate}: a learning rate is not'):
            make(rate)
    make(0.0)
