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
