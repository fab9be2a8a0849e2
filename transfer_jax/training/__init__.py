"""Training: state, method, step, loop, optimisers, checkpoints and logs."""

from transfer_jax.training import (
    checkpoint,
    determinism,
    feed,
    log,
    networks,
    on_device,
    optim,
    parallel,
    precision,
    profiling,
    state,
    stopping,
)
from transfer_jax.training.loop import Hook, fit
from transfer_jax.training.method import Aux, Method, Phase
from transfer_jax.training.state import TrainState
from transfer_jax.training.step import make_step

__all__ = [
    'Aux',
    'Hook',
    'Method',
    'Phase',
    'TrainState',
    'checkpoint',
    'determinism',
    'feed',
    'fit',
    'log',
    'make_step',
    'networks',
    'on_device',
    'optim',
    'parallel',
    'precision',
    'profiling',
    'state',
    'stopping',
]
