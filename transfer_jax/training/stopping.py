"""Early stopping on a validation loss."""

from collections.abc import Callable

import jax
import numpy as np

from transfer_jax.training import feed
from transfer_jax.training.loop import fit
from transfer_jax.training.method import Method
from transfer_jax.training.state import TrainState
from transfer_jax.types import Key


class StopTraining(Exception):
    """The hook `EarlyStopping` ends the training."""


class EarlyStopping:
    """A hook of `fit` that keeps the state of least validation loss on the host.

    It evaluates every `every` steps, and raises StopTraining after `patience`
    evaluations in a row without a new minimum. NaN is no minimum.

    Attributes:
      state: the best state, as NumPy arrays; None before the first evaluation.
      step, loss: step and validation loss of the best state.
      losses: [(step, loss), ...] of all evaluations.
    """

    def __init__(
        self, loss: Callable[[TrainState], float], *, every: int, patience: int
    ):
        if every < 1 or patience < 1:
            raise ValueError(f'every={every} and patience={patience} must be positive')
        self._loss, self._every, self._patience = loss, every, patience
        self.state, self.step, self.loss = None, 0, float('inf')
        self.losses: list[tuple[int, float]] = []

    def __call__(self, step, state, metrics):
        del metrics
        if step % self._every:
            return
        loss = float(self._loss(state))
        self.losses.append((step, loss))
        if loss < self.loss:
            # A copy: the buffers of `state` are given to the next step.
            self.state, self.step, self.loss = jax.tree.map(np.array, state), step, loss
        elif step - self.step >= self._patience * self._every:
            raise StopTraining(f'no loss below {self.loss} since step {self.step}')


def fit_until_best(
    method: Method,
    state: TrainState,
    stream: feed.BatchStream,
    best: EarlyStopping,
    *,
    key: Key,
    steps: int,
) -> TrainState:
    """`fit` for at most `steps`; returns the best state that `best` saw, bit for bit.

    Raises:
      ValueError: no evaluation gave a number.
    """
    try:
        fit(method, state, stream, key=key, steps=steps, hooks=[best])
    except StopTraining:
        pass
    if best.state is None:
        raise ValueError(f'no finite validation loss in {steps} steps')
    return jax.tree.map(jax.numpy.asarray, best.state)
