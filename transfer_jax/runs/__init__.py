"""Runs: experiments and studies in run folders, resumable to the bit."""

from transfer_jax.runs import (
    folder,
    grouping,
    hook,
    model,
    model_folder,
    provenance,
    recorder,
    result,
    runner,
    scoring,
    seeds,
    stages,
    study,
    vectorised,
    weights,
)
from transfer_jax.runs.experiment import Compared, Experiment, Inputs, Stage
from transfer_jax.runs.folder import FolderError
from transfer_jax.runs.hook import Interrupted
from transfer_jax.runs.model import Model
from transfer_jax.runs.model import load as load_model
from transfer_jax.runs.recorder import NonFiniteError
from transfer_jax.runs.scoring import HeldOut, Number, measure_adaptation
from transfer_jax.runs.seeds import run
from transfer_jax.runs.stages import NotFinished, finished, restore
from transfer_jax.runs.study import Study
from transfer_jax.runs.study import run as run_study

__all__ = [
    'Compared',
    'Experiment',
    'FolderError',
    'HeldOut',
    'Inputs',
    'Interrupted',
    'Model',
    'NonFiniteError',
    'NotFinished',
    'Number',
    'Stage',
    'Study',
    'finished',
    'folder',
    'grouping',
    'hook',
    'load_model',
    'measure_adaptation',
    'model',
    'model_folder',
    'provenance',
    'recorder',
    'restore',
    'result',
    'run',
    'run_study',
    'runner',
    'scoring',
    'seeds',
    'stages',
    'study',
    'vectorised',
    'weights',
]
