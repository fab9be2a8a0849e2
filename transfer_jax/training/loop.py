"""The training loop."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.training import feed, labels
from transfer_jax.training.method import Method
from transfer_jax.training.state import TrainState
from transfer_jax.types import Key

# hook(step, state, metrics) is called after a step; it may raise to stop the training.
#
# A plain function is called after every step, with the metrics of that step. A hook
# with a method next_due(step) -> int is called only at the first step after `step` that
# it asks for, and so on; its metrics are NumPy arrays {name: (k, ...)} of the k steps
# since the last call. It costs no transfer in between.
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
) -> TrainState:
    """Trains from step `start` to `steps`; the batch of step t is stream[t].

    Hooks see the state of a step and copy what they keep, because its buffers are given
    to the next step.

    Raises:
      ValueError: steps is not a whole number from `start` on; a label of the source, or
        a labelled one of the target, is no class of the classifier (labels.py).
    """
    if not isinstance(steps, int | np.integer) or steps < start:
        raise ValueError(f'steps is {steps}: give a whole number, {start} or more')
    step = jax.jit(method.step, donate_argnums=0)
    state = jax.tree.map(jnp.copy, state)
    calls = [_Due(hook) if hasattr(hook, 'next_due') else hook for hook in hooks]
    with feed.read(stream, start, steps, labels.checked(state)) as batches:
        for t, batch in enumerate(batches, start + 1):
            state, metrics = step(state, batch, key)
            for call in calls:
                call(t, state, metrics)
    return state


class _Due:
    """Calls a hook at the steps it asks for, with the metrics since the last call."""

    def __init__(self, hook: Hook):
        self._hook, self._pending = hook, []

    def __call__(self, step, state, metrics):
        self._pending.append(metrics)
        if self._hook.next_due(step - 1) > step:
            return
        pending, self._pending = jax.device_get(self._pending), []
        stacked = {k: np.stack([row[k] for row in pending]) for k in pending[0]}
        self._hook(step, state, stacked)
