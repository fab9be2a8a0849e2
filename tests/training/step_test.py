"""Phases to a step: order, keys, repeats, carries, what the transforms are told."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from transfer_jax import training
from transfer_jax.training import optim

SGD = optim.sgd(optim.constant(1.0), momentum=0.0)
TXS = {'a': SGD, 'b': SGD}
KEY = jax.random.key(0)


def _state(extra=(), txs=TXS):
    params = {'a': jnp.asarray(1.0), 'b': jnp.asarray(10.0)}
    return training.state.create(params, {'a': {'n': jnp.zeros(())}}, txs, extra)


def _pull(name, to, **aux):
    """A loss whose gradient is 1 times (value - to)."""

    def loss(state, batch, key):
        value = state.params[name] - to
        return 0.5 * value**2, training.Aux({}, **aux)

    return loss


def test_phases_run_in_order_and_see_what_was_updated():
    def second(state, batch, key):
        return state.params['b'] * state.params['a'], training.Aux({})

    phases = [
        training.Phase('one', _pull('a', 3.0), ('a',)),
        training.Phase('two', second, ('b',)),
    ]
    state, metrics = jax.jit(training.make_step(phases, TXS))(_state(), {}, KEY)
    np.testing.assert_allclose(state.params['a'], 3.0)  # one step of rate 1 arrives
    np.testing.assert_allclose(state.params['b'], 10.0 - 3.0)
    np.testing.assert_allclose(metrics['one/loss'], 2.0)
    np.testing.assert_allclose(metrics['two/loss'], 30.0)
    assert state.step == 1


def test_only_what_a_phase_trains_moves():
    def both(state, batch, key):
        return state.params['a'] + state.params['b'], training.Aux({})

    step = training.make_step([training.Phase('p', both, ('b',))], TXS)
    state, _ = jax.jit(step)(_state(), {}, KEY)
    assert state.params['a'] == 1 and state.params['b'] == 9


def test_a_repeated_phase_takes_several_steps_with_keys_of_their_own():
    def loss(state, batch, key):
        noise = jax.random.normal(key)
        return state.params['a'] * noise, training.Aux({'noise': noise})

    phase = training.Phase('p', loss, ('a',), repeat=3)
    step = jax.jit(training.make_step([phase], TXS))
    state, metrics = step(_state(), {}, KEY)
    key = jax.random.fold_in(jax.random.fold_in(KEY, 0), zlib.crc32(b'p'))
    noises = [jax.random.normal(jax.random.fold_in(key, i)) for i in range(3)]
    assert len({float(noise) for noise in noises}) == 3
    np.testing.assert_allclose(state.params['a'], 1 - sum(noises), rtol=1e-5)
    np.testing.assert_allclose(metrics['p/noise'], noises[-1], rtol=1e-6)


@pytest.mark.parametrize(
    'part, a, trace, count', [(0, 3, -2, 1), (1e-9, 3, -2, 1), (0.5, 2.4, -0.4, 2),
                              (1, 1.8, 1.2, 2), (2, 0.6, 1.2, 2)]
)  # fmt: skip
def test_a_part_of_an_update_by_hand(part, a, trace, count):
    """Rate 1, momentum 0.9, a = 1. The first phase pulls to 3: gradient -2, a = 3.

    The second pulls to 0: gradient 3, momentum 3 - 0.9 * 2 = 1.2, update -1.2.
    """
    counting = optax.scale_by_schedule(lambda count: 1.0)
    txs = {'a': optax.chain(optim.sgd(optim.constant(1.0), momentum=0.9), counting)}

    @jax.jit
    def step(state, part):
        phases = [
            training.Phase('one', _pull('a', 3.0), ('a',)),
            training.Phase('two', _pull('a', 0.0), ('a',), part=lambda step: part),
        ]
        return training.make_step(phases, txs)(state, {}, KEY)[0]

    state = training.state.create({'a': jnp.asarray(1.0)}, {}, txs)
    state = step(state, jnp.asarray(part, jnp.float32))
    np.testing.assert_allclose(state.params['a'], a, rtol=1e-6)
    leaves = jax.tree.leaves(state.opt_state)
    np.testing.assert_allclose(
        [x for x in leaves if x.dtype == jnp.float32], [trace], rtol=1e-6
    )
    assert [x for x in leaves if x.dtype == jnp.int32] == [count]


def test_without_a_part_every_bit_stays():
    phase = training.Phase('p', _pull('a', 0.0), ('a',), part=lambda step: 0.0)
    txs = {'a': optim.sgd(optim.constant(1.0))}
    state = training.state.create({'a': jnp.asarray(-0.0)}, {}, txs)
    after = jax.jit(training.make_step([phase], txs))(state, {}, KEY)[0]
    assert jnp.signbit(after.params['a'])


def test_keys_differ_by_step_and_by_phase():
    def loss(state, batch, key):
        return 0.0 * state.params['a'], training.Aux({'noise': jax.random.normal(key)})

    phases = [training.Phase(name, loss, ('a',)) for name in 'pq']
    step = jax.jit(training.make_step(phases, TXS))
    state, one = step(_state(), {}, KEY)
    _, two = step(state, {}, KEY)
    values = {float(m[f'{name}/noise']) for m in (one, two) for name in 'pq'}
    assert len(values) == 4


def test_what_a_phase_carries_joins_the_batch_of_the_later_ones():
    def second(state, batch, key):
        return state.params['b'] * batch['fake'] + batch['x'], training.Aux({})

    phases = [
        training.Phase(
            'one', _pull('a', 0.0, carry={'fake': jnp.asarray(2.0)}), ('a',)
        ),
        training.Phase('two', second, ('b',)),
    ]
    step = jax.jit(training.make_step(phases, TXS))
    state, metrics = step(_state(), {'x': 5.0}, KEY)
    np.testing.assert_allclose(metrics['two/loss'], 25.0)
    np.testing.assert_allclose(state.params['b'], 8.0)


def test_model_state_and_extra_change_when_a_phase_says_so():
    new = {'a': {'n': jnp.ones(())}}
    loss = _pull('a', 0.0, model_state=new, extra={'t': jnp.asarray(4.0)})
    quiet = _pull('b', 0.0)
    phases = [
        training.Phase('one', loss, ('a',)),
        training.Phase('two', quiet, ('b',)),
    ]
    state, _ = jax.jit(training.make_step(phases, TXS))(
        _state({'t': jnp.asarray(0.0)}), {}, KEY
    )
    assert state.model_state['a']['n'] == 1 and state.extra['t'] == 4


def test_transforms_are_told_value_gradient_step_and_the_loss_itself():
    told = {}

    def update(updates, state, params=None, *, value, grad, value_fn, step, **extra):
        told.update(value=value, grad=grad, step=step, again=value_fn(params + 1.0))
        return jax.tree.map(lambda u: -u, updates), state

    spy = optax.GradientTransformationExtraArgs(lambda params: (), update)
    txs = {'a': spy, 'b': SGD}
    step = training.make_step([training.Phase('p', _pull('a', 0.0), ('a',))], txs)
    state = _state(txs=txs).replace(step=jnp.asarray(5, jnp.int32))
    step(state, {}, KEY)
    assert told['value'] == 0.5 and told['grad'] == 1.0 and told['step'] == 5
    assert told['again'] == 0.5 * (1.0 + 1.0) ** 2


def test_optax_lbfgs_fits():
    txs = {'a': optax.lbfgs(linesearch=None, learning_rate=0.5), 'b': SGD}
    phase = training.Phase('p', _pull('a', 3.0), ('a',))
    step = jax.jit(training.make_step([phase], txs))
    state = _state(txs=txs)
    for _ in range(6):
        state, metrics = step(state, {}, KEY)
    assert metrics['p/loss'] < 0.1


def test_mistakes_are_refused_at_the_start():
    phase = training.Phase('p', _pull('a', 0.0), ('a', 'c'))
    with pytest.raises(ValueError, match=r"'p' trains 'c'.*\['a', 'b'\]"):
        training.make_step([phase], TXS)
    twice = [training.Phase('p', _pull(name, 0.0), (name,)) for name in 'ab']
    with pytest.raises(ValueError, match='same name'):
        training.make_step(twice, TXS)
