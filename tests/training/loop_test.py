"""The loop: which batch, which step, what hooks see; and feeding it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import data, training
from transfer_jax.training import feed, fit

KEY = jax.random.key(0)


def _method():
    def step(state, batch, key):
        total = state.params['sum'] + batch['x']
        state = state.replace(step=state.step + 1, params={'sum': total})
        return state, {'x': batch['x']}

    return training.Method(None, step, None)


def _state():
    return training.state.create({'sum': jnp.asarray(0.0)}, {}, {})


class _Numbers:
    def __getitem__(self, t):
        return {'x': np.float32(t)}


@pytest.mark.parametrize(
    'stream', [_Numbers(), data.Stream(_Numbers().__getitem__)], ids=['plain', 'read']
)
def test_the_batch_of_step_t_is_stream_t(stream):
    seen = []
    state = fit(
        _method(),
        _state(),
        stream,
        key=KEY,
        steps=6,
        start=2,
        hooks=[lambda t, state, metrics: seen.append((t, float(metrics['x'])))],
    )
    assert seen == [(3, 2.0), (4, 3.0), (5, 4.0), (6, 5.0)]
    assert state.params['sum'] == 2 + 3 + 4 + 5 and state.step == 4


def test_the_first_state_is_still_there_afterwards():
    state = _state()
    shared = state.replace(extra={'copy': state.params['sum']})  # one array, twice
    fit(_method(), shared, _Numbers(), key=KEY, steps=2)
    assert state.params['sum'] == 0


class _Every:
    """A hook for every `period`-th step."""

    def __init__(self, period):
        self.period, self.calls = period, []

    def next_due(self, step):
        return (step // self.period + 1) * self.period

    def __call__(self, step, state, metrics):
        self.calls.append((step, int(state.step), metrics))


def test_a_hook_is_called_at_the_steps_it_asks_for_with_all_metrics_since():
    hook = _Every(3)
    fit(_method(), _state(), _Numbers(), key=KEY, steps=8, start=1, hooks=[hook])
    assert [(step, taken) for step, taken, _ in hook.calls] == [(3, 2), (6, 5)]
    for (_, _, metrics), expected in zip(hook.calls, [[1, 2], [3, 4, 5]], strict=True):
        assert set(metrics) == {'x'}
        assert isinstance(metrics['x'], np.ndarray)
        np.testing.assert_array_equal(metrics['x'], expected)


def test_a_hook_may_ask_for_an_earlier_step_than_before():
    """As that of a run does when a signal comes."""
    hook = _Every(100)

    def hurry(step, state, metrics):
        if step == 4:
            hook.period = 1

    fit(_method(), _state(), _Numbers(), key=KEY, steps=6, hooks=[hurry, hook])
    assert [step for step, _, _ in hook.calls] == [4, 5, 6]
    assert [metrics['x'].shape for _, _, metrics in hook.calls] == [(4,), (1,), (1,)]


def test_a_plain_function_beside_it_still_sees_every_step():
    hook, seen = _Every(2), []
    fit(
        _method(),
        _state(),
        _Numbers(),
        key=KEY,
        steps=5,
        hooks=[hook, lambda t, state, metrics: seen.append((t, float(metrics['x'])))],
    )
    assert seen == [(1, 0.0), (2, 1.0), (3, 2.0), (4, 3.0), (5, 4.0)]
    assert [step for step, _, _ in hook.calls] == [2, 4]


def test_a_hook_that_raises_closes_the_reader():
    closed = []

    class Stream(_Numbers):
        def read(self, start, stop):
            def items():
                try:
                    for t in range(start, stop):
                        yield self[t]
                finally:
                    closed.append(True)

            return items()

    def stop(t, state, metrics):
        raise KeyError(t)

    with pytest.raises(KeyError):
        fit(_method(), _state(), Stream(), key=KEY, steps=9, hooks=[stop])
    assert closed == [True]


def test_sharded_batches_have_their_sharding():
    device = jax.local_devices()[0]
    sharding = jax.sharding.SingleDeviceSharding(device)
    stream = feed.Sharded(data.Stream(_Numbers().__getitem__), sharding)
    assert stream[3]['x'] == 3
    with feed.read(stream, 1, 3) as batches:
        found = [(batch['x'].sharding, float(batch['x'])) for batch in batches]
    assert found == [(sharding, 1.0), (sharding, 2.0)]


@pytest.mark.parametrize('steps', [-1, 2, 2.5])
def test_steps_are_whole_and_not_before_the_start(steps):
    with pytest.raises(ValueError, match=f'steps is {steps}: give a whole number, 3'):
        fit(_method(), _state(), _Numbers(), key=KEY, steps=steps, start=3)
