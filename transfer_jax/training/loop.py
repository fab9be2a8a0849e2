"""The loop."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from transfer_jax.training import feed
from transfer_jax.training.method import Method
from transfer_jax.training.state import TrainState
from transfer_jax.types import Key, Metrics

Hook = Callable[[int, TrainState, Metrics], None]  # after step t; may raise to stop


def fit(
    method: Method,
    state: TrainState,
    stream: feed.Stream,
    *,
    key: Key,
    steps: int,
    start: int = 0,
    hooks: Sequence[Hook] = (),
) -> TrainState:
    """Train from step `start` to `steps`; the batch of step t is stream[t].

    Hooks see the state of each step; they copy what they keep, because its buffers are
    given to the next step.
    """
    step = jax.jit(method.step, donate_argnums=0)
    state = jax.tree.map(jnp.copy, state)
    with feed.read(stream, start, steps) as batches:
        for t, batch in enumerate(batches, start + 1):
            state, metrics = step(state, batch, key)
            for hook in hooks:
                hook(t, state, metrics)
    return state
