"""A profiler trace: when it is taken, and how it is read."""

import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.training import profiling


def _event(name, start, duration, thread=1):
    return {
        'ph': 'X',
        'pid': 1,
        'tid': thread,
        'name': name,
        'ts': start,
        'dur': duration,
    }


def test_costs_are_own_times_by_name(tmp_path):
    """A fusion of 10 us contains 4 us of another operation; waiting does not count."""
    names = {1: 'XLA Ops', 2: 'python'}
    events = [
        {
            'ph': 'M',
            'pid': 1,
            'tid': thread,
            'name': 'thread_name',
            'args': {'name': name},
        }
        for thread, name in names.items()
    ]
    events += [
        _event('ThunkExecutor::Execute (wait for completion)', 0, 100),
        _event('fusion.1', 0, 10),
        _event('convolution.7', 2, 4),
        _event('fusion.2', 20, 6),
        _event('a Python call', 0, 1_000, thread=2),
    ]
    with gzip.open(tmp_path / 'vm.trace.json.gz', 'wt') as file:
        json.dump({'traceEvents': events}, file)
    assert profiling.costs(tmp_path) == [
        ('fusion', 12, pytest.approx(0.75)),
        ('convolution', 4, pytest.approx(0.25)),
    ]
    assert profiling.busy(tmp_path) == pytest.approx(16 / 26)  # 10 + 6 us of 0 .. 26


def test_ten_steps_are_traced_once(tmp_path):
    hook, square = profiling.Trace(tmp_path), jax.jit(lambda x: x @ x)
    x = jnp.ones((200, 200))
    assert 'no profile' in hook.summary()
    for step in range(1, 31):
        x = square(x) / 200
        if hook.next_due(step - 1) == step:
            hook(step, x, {})
    assert len(list(tmp_path.rglob('*.trace.json.gz'))) == 1
    lines = hook.summary().splitlines()
    assert lines[0] == f'profile of 10 steps: {tmp_path}'
    assert lines[1].startswith('the device was at work ')
    assert 2 < len(lines) <= 2 + profiling.SHOWN and 'ms a step' in lines[2]


def test_without_a_trace_there_are_no_costs(tmp_path):
    assert profiling.costs(tmp_path) == []
    assert np.isnan(profiling.busy(tmp_path))
