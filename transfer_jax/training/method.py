"""What a method is: three pure functions, and the phases its step may be made of."""

from collections.abc import Callable
from typing import NamedTuple

from transfer_jax.training.state import TrainState
from transfer_jax.types import Array, Batch, Key, Metrics, PyTree


class Method(NamedTuple):
    """All that the training loop knows of a method."""

    init: Callable[[Key, Batch], TrainState]
    step: Callable[[TrainState, Batch, Key], tuple[TrainState, Metrics]]
    # Deterministic; answers under the key of the domain that it was given:
    # {'target': {'image'}} -> {'target': {'logits', 'features', ...}}.
    predict: Callable[[TrainState, Batch], PyTree]


class Aux(NamedTuple):
    """What a phase's loss returns beside the loss."""

    metrics: Metrics
    model_state: PyTree = None  # None: unchanged; else the networks that changed
    extra: PyTree = None  # None: unchanged
    carry: PyTree = None  # joins the batch of the later phases of this step


class Phase(NamedTuple):
    """One gradient step inside a training step."""

    name: str
    loss: Callable[[TrainState, Batch, Key], tuple[Array, Aux]]
    trains: tuple[str, ...]  # the networks it updates; none: it only carries
    repeat: int = 1  # unrolled in Python: loops over convolutions are slow on CPU
