"""A method: three pure functions, and the phases of which its step may consist."""

from collections.abc import Callable
from typing import NamedTuple

from transfer_jax.training.state import TrainState
from transfer_jax.types import Array, Batch, Key, Metrics, PyTree


class Method(NamedTuple):
    """A method, as the training loop knows it."""

    init: Callable[[Key, Batch], TrainState]
    step: Callable[[TrainState, Batch, Key], tuple[TrainState, Metrics]]
    # Deterministic; the outputs have the key of the domain of the input:
    # {'target': {'image'}} -> {'target': {'logits', 'features', ...}}.
    predict: Callable[[TrainState, Batch], PyTree]


class Aux(NamedTuple):
    """What the loss of a phase returns besides its value."""

    metrics: Metrics
    model_state: PyTree = None  # {changed network: new collections}; None: unchanged
    extra: PyTree = None  # the new state.extra; None: unchanged
    carry: PyTree = None  # entries added to the batch of later phases of this step


class Phase(NamedTuple):
    """One gradient step inside a training step."""

    name: str
    loss: Callable[[TrainState, Batch, Key], tuple[Array, Aux]]
    trains: tuple[str, ...]  # the networks it updates; may be empty
    # Unrolled in Python, because loops over convolutions are slow on CPU.
    repeat: int = 1
    # step -> w, the part of an update that is made. Parameters move w times as far, and
    # the optimiser's state goes the part min(w, 1) of the way to its new value, so that
    # at 0 the phase leaves both as they are. None is 1.
    part: Callable[[Array], Array] | None = None
