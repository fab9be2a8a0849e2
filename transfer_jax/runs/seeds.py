"""Runs the seeds of an experiment, one after another or side by side."""

import json
import pathlib
from collections.abc import Sequence

import jax

from transfer_jax.runs import runner, vectorised
from transfer_jax.runs.experiment import Experiment
from transfer_jax.runs.recorder import NonFiniteError
from transfer_jax.training import Hook, parallel


def run(
    experiment: Experiment,
    run_dir: pathlib.Path,
    *,
    data_dir: str | None = None,
    hooks: Sequence[Hook] = (),
    data_on_device: str = 'auto',
    chunk: int | None = None,
    together: int | None = None,
) -> dict:
    """Runs or resumes an experiment in a folder; returns the content of result.json.

    Each of several processes (jax.distributed) calls it, with a folder that all of them
    see. The seeds of a folder may be trained in one way and resumed in the other.

    Args:
      hooks: beside that of the run, in every stage; with hooks, or in several
        processes, seeds train one after another.
      data_on_device: one of training.on_device.CHOICES.
      chunk: steps in a dispatch; chosen by the backend if None.
      together: seeds that train at the same time, 0 for all. By default all of them on
        an accelerator, 1 on a CPU, which is as fast one after another. Side by side
        they end as alone, up to the rounding of parallel.over_runs.

    Raises:
      ValueError: the experiment has no seeds, a stage has no steps, or the data cannot
        lie on the device though that was asked.
      folder.FolderError: the folder cannot be used.
      NonFiniteError: a loss is not finite; the last good checkpoint is kept. Seeds
        beside that one have gone on to the end of the stage.
      Interrupted: SIGINT or SIGTERM came; everything is saved.
    """
    if together is not None and together < 0:
        raise ValueError(
            f'seeds together are {together}: give a number, or 0 for all of them'
        )
    how = {'data_dir': data_dir, 'data_on_device': data_on_device, 'chunk': chunk}
    if together is None:
        together = parallel.seeds_together()
    several = len(experiment.seeds) > 1 and together != 1
    if hooks or not several or jax.process_count() > 1:
        return runner.run(experiment, run_dir, hooks=hooks, **how)
    member = vectorised.Run(experiment, run_dir)
    for reason in vectorised.run([member], most=together, **how).values():
        raise NonFiniteError(reason)
    return json.loads((run_dir / 'result.json').read_text())
