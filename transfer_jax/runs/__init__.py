"""Runs: experiments and studies in run folders, resumable to the bit."""

from transfer_jax.runs import (
    folder,
    grouping,
    hook,
    result,
    runner,
    study,
    vectorised,
)
from transfer_jax.runs.hook import HeldOut, Interrupted, NonFiniteError
from transfer_jax.runs.runner import (
    Experiment,
    NotFinished,
    Stage,
    finished,
    restore,
    run,
)
from transfer_jax.runs.study import Study
from transfer_jax.runs.study import run as run_study

__all__ = [
    'Experiment',
    'HeldOut',
    'Interrupted',
    'NonFiniteError',
    'NotFinished',
    'Stage',
    'Study',
    'finished',
    'folder',
    'grouping',
    'hook',
    'restore',
    'result',
    'run',
    'run_study',
    'runner',
    'study',
    'vectorised',
]
