"""What training carries from step to step: one frozen tree of arrays."""

from collections.abc import Mapping

import flax
import jax.numpy as jnp
import optax

from transfer_jax.types import Array, PyTree


@flax.struct.dataclass
class TrainState:
    """State of a training run. No function is ever stored in it."""

    step: Array  # () int32, completed steps
    params: PyTree  # {network: parameters}
    model_state: PyTree  # {network: batch statistics, ...}
    opt_state: PyTree  # {network: optimiser state}
    extra: PyTree = ()  # what a method carries: teacher, queue, pool, source copy
    # {name: ()} hyper-parameters that are arrays, see parallel.of_values. Not saved:
    # they are of the config, and a checkpoint fits a run with or without them.
    values: PyTree = ()


def create(
    params: PyTree,
    model_state: PyTree,
    txs: Mapping[str, optax.GradientTransformation],
    extra: PyTree = (),
) -> TrainState:
    """The state before the first step, with a fresh optimiser state per network."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        model_state=model_state,
        opt_state={name: tx.init(params[name]) for name, tx in txs.items()},
        extra=extra,
    )
