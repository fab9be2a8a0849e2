"""The training state: one frozen tree of arrays, passed from step to step."""

import flax
import jax.numpy as jnp

from transfer_jax.training import optim
from transfer_jax.types import Array, PyTree


@flax.struct.dataclass
class TrainState:
    """State of a training run. It contains arrays only, no functions."""

    step: Array  # () int32, completed steps
    params: PyTree  # {network: parameters}
    model_state: PyTree  # {network: batch statistics, ...}
    opt_state: PyTree  # {network: optimiser state}
    extra: PyTree = ()  # further state of a method, such as a copy of the source
    # {name: ()} hyper-parameters as arrays, see parallel.with_traced_values. They are
    # not saved: they come from the config, and a checkpoint serves runs with or without
    # them.
    values: PyTree = ()


def create(
    params: PyTree,
    model_state: PyTree,
    txs: optim.Optimisers,
    extra: PyTree = (),
) -> TrainState:
    """The state before the first step, with a fresh optimiser state per network.

    Args:
      txs: {network: optimiser}, or one optimiser for every network in `params`.
    """
    txs = optim.by_network(txs, params)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        model_state=model_state,
        opt_state={name: tx.init(params[name]) for name, tx in txs.items()},
        extra=extra,
    )
