"""The training loop."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.training import chunks, feed, labels
from transfer_jax.training.method import Method
from transfer_jax.training.state import TrainState
from transfer_jax.types import Key

# hook(step, state, metrics) is called after a step; it may raise to stop the training.
#
# A plain function is called after every step, with the metrics of that step. A hook
# with a method next_due(step) -> int is called only at the first step after `step` that
# it asks for, and so on; its metrics are NumPy arrays {name: (k, ...)} of the k steps
# since the last call. It costs no transfer in between. One with the attribute
# `wants_metrics` False gets none.
Hook = Callable[[int, TrainState, Mapping[str, Any]], None]


def fit(
    method: Method,
    state: TrainState,
    stream: feed.BatchStream,
    *,
    key: Key,
    steps: int,
    start: int = 0,
    hooks: Sequence[Hook] = (),
    chunk: int = 1,
) -> TrainState:
    """Trains from step `start` to `steps`; the batch of step t is stream[t].

    Hooks see the state of a step and copy what they keep, because its buffers are given
    to the next step.

    Args:
      stream: or that of on_device.place, whose batches are made on the device.
      chunk: steps in a dispatch at most. One ends at every multiple of it, and where a
        hook is due. On an accelerator many save time; a CPU gains nothing.

    Raises:
      ValueError: steps is not a whole number from `start` on; a label of the source, or
        a labelled one of the target, is no class of the classifier (labels.py).
    """
    if not isinstance(steps, int | np.integer) or steps < start:
        raise ValueError(f'steps is {steps}: give a whole number, {start} or more')
    program = chunks.Program(method, stream, chunk)
    state = jax.tree.map(jnp.copy, state)
    calls = [_Due(hook) if hasattr(hook, 'next_due') else _Each(hook) for hook in hooks]
    with program.read(start, steps, labels.checked(state)) as inputs:
        while start < steps:
            due = [call.next_due(start) for call in calls]
            stop = min(steps, (start // program.chunk + 1) * program.chunk, *due)
            state, measured = program(state, key, inputs, start, stop)
            for call in calls:
                call(stop, state, measured)
            start = stop
    return state


class _Each:
    """Calls a plain function after every step, with the metrics of that step."""

    def __init__(self, hook: Hook):
        self._hook = hook

    def next_due(self, step):
        return step + 1

    def __call__(self, step, state, measured):
        values = measured.values
        if measured.count is not None:
            values = {name: value[0] for name, value in values.items()}
        self._hook(step, state, values)


class _Due:
    """Calls a hook at the steps it asks for, with the metrics since the last call."""

    def __init__(self, hook: Hook):
        self._hook, self._pending = hook, []
        self._wants = getattr(hook, 'wants_metrics', True)

    def next_due(self, step):
        return self._hook.next_due(step)

    def __call__(self, step, state, measured):
        if self._wants:
            self._pending.append(measured)
        if self._hook.next_due(step - 1) > step:
            return
        pending, self._pending = self._pending, []
        self._hook(step, state, chunks.fetch(pending) if pending else {})
