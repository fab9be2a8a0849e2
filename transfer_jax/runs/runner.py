"""Runs an experiment: stage by stage, seed by seed, resumable to the bit."""

import contextlib
import json
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from transfer_jax import evaluation
from transfer_jax.runs import folder, hook, model_folder, provenance, result, stages
from transfer_jax.runs.experiment import Experiment
from transfer_jax.runs.recorder import StageRun, keep_chosen, models_differ
from transfer_jax.training import Hook, fit, log, parallel


def run(
    experiment: Experiment,
    run_dir: pathlib.Path,
    *,
    data_dir: str | None = None,
    hooks: Sequence[Hook] = (),
    data_on_device: str = 'auto',
    chunk: int | None = None,
) -> dict:
    """As seeds.run, but one seed after another, each on all devices."""
    check(experiment)
    with _claimed(experiment, run_dir) as rows_dir, hook.stop_signal() as stop:
        for seed in experiment.seeds:
            if stages.finished(experiment, seed, run_dir):
                continue
            data = read(experiment, seed, data_dir)
            start = provenance.start(seed, data, experiment.golden)
            note_start(experiment, rows_dir, start)
            one = _Seed(experiment, seed, data, run_dir, rows_dir)
            _run_seed(one, stop, hooks, data_on_device, chunk)
        if parallel.is_first():
            finish(experiment, run_dir, lambda seed: read(experiment, seed, data_dir))
        parallel.wait()
    return json.loads((run_dir / 'result.json').read_text())


def check(experiment: Experiment) -> None:
    """Raises ValueError for an experiment that cannot be run."""
    if not experiment.seeds:
        raise ValueError('seeds is 0: give at least one')
    for stage in experiment.stages:
        if stage.steps < 1:
            raise ValueError(
                f'stage {stage.name!r} has {stage.steps} steps: give 1 or more'
            )


def read(experiment: Experiment, seed: int, data_dir: str | None) -> Any:
    """The data of a seed, with a status line."""
    with log.console.status(f'seed {seed}: reading data'):
        return experiment.data(seed, data_dir)


def note_start(experiment: Experiment, run_dir: pathlib.Path, start: Mapping) -> None:
    """Writes down what a seed is trained with, see provenance.start."""
    folder.Rows(run_dir / 'starts.jsonl').append(start)
    if (start['git'] or '').endswith('-dirty') and not experiment.fast:
        log.console.print(
            'files differ from the last commit: tables will not show this result',
            soft_wrap=True,
        )


def finish(
    experiment: Experiment, run_dir: pathlib.Path, data_of: Callable[[int], Any]
) -> None:
    """Writes result.json, and what a crash after the last checkpoint left undone.

    Args:
      data_of: seed -> its data, read where a model is missing.
    """
    rows = folder.Rows(run_dir / 'history.jsonl').read()
    for seed in experiment.seeds:
        i, stage = len(experiment.stages) - 1, experiment.stages[-1]
        saved = stages.checkpoint_dir(run_dir, seed, i, stage)
        last = StageRun(experiment, stage, seed, None, run_dir, saved)
        if models_differ(last, stage.steps):
            data = data_of(seed)
            about = model_folder.about(experiment, seed, data)
            state = stages.restore(experiment, run_dir, seed, data)
            keep_chosen(last._replace(about=about), stage.steps, state)
    starts = folder.Rows(run_dir / 'starts.jsonl').read()
    costs = folder.Rows(run_dir / 'costs.jsonl').read()
    content = result.summarize(experiment, rows, starts, costs)
    folder.write_json(run_dir / 'result.json', content)


@contextlib.contextmanager
def _claimed(experiment, run_dir) -> Iterator[pathlib.Path]:
    """The folder to write rows to: of several processes, the first owns the run folder.

    The others do the same in a folder that they throw away.
    """
    if parallel.is_first():
        with folder.claim(run_dir, experiment.name, experiment.config):
            parallel.wait()
            yield run_dir
    else:
        parallel.wait()
        with tempfile.TemporaryDirectory() as scratch:
            yield pathlib.Path(scratch)


class _Seed(NamedTuple):
    """One seed of a run."""

    experiment: Experiment
    seed: int
    data: Any
    run_dir: pathlib.Path
    rows_dir: pathlib.Path  # where this process writes its rows


def _run_seed(
    run: _Seed,
    stop: hook.StopSignal,
    hooks: Sequence[Hook],
    data_on_device: str,
    chunk: int | None,
) -> None:
    """Trains all stages of a seed, from its newest checkpoints."""
    experiment, seed, data, run_dir, rows_dir = run
    held_out = evaluation.on_device.place(
        experiment.held_out(data), data_on_device, parallel.everywhere()
    )
    about = model_folder.about(experiment, seed, data)
    previous = stages.starting_point(experiment, data)
    for i, stage in enumerate(experiment.stages):
        stream = stage.stream(data, previous)
        first = stages.first_state(stage, seed, i, stream[0], previous)
        saved = stages.checkpoint_dir(run_dir, seed, i, stage)
        restored = stages.resume(saved, first)
        state, done = restored if restored else (first(), 0)
        if done < stage.steps:
            stage_run = StageRun(
                experiment, stage, seed, held_out, rows_dir, saved, done, about
            )
            if done:
                keep_chosen(stage_run, done, state)
            state, stream = parallel.shard(state, stream, data_on_device)
            together = parallel.chunk_of(stream) if chunk is None else chunk
            run_hook = hook.RunHook(
                {0: stage_run},
                stop,
                f'{experiment.method} seed {seed} {stage.name}',
                quiet=not parallel.is_first(),
                chunk=together,
                background=parallel.evaluates_in_background(),
            )
            with contextlib.closing(run_hook):
                state = fit(
                    stage.method,
                    state,
                    stream,
                    key=stages.key_of(seed, i),
                    steps=stage.steps,
                    start=done,
                    hooks=[run_hook, *hooks],
                    chunk=together,
                )
            state = parallel.local(state)
        previous = state
