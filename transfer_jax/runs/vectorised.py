"""Several runs of one program, trained at the same time.

Each has a folder, seed, data, checkpoints and history, as if it ran alone.
"""

import contextlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import evaluation
from transfer_jax.runs import (
    abreast,
    folder,
    hook,
    model_folder,
    provenance,
    runner,
    stages,
)
from transfer_jax.runs.experiment import Experiment
from transfer_jax.runs.recorder import StageRun, keep_chosen
from transfer_jax.training import feed, fit, log, on_device, parallel

Failures = dict[pathlib.Path, str]  # {run folder: why that run failed}


class Run(NamedTuple):
    """An experiment and its folder."""

    experiment: Experiment
    run_dir: pathlib.Path


class _How(NamedTuple):
    """How runs are trained together."""

    how: str | None  # see parallel.over_runs
    devices: int
    data_on_device: str
    chunk: int | None


class _Lane(NamedTuple):
    """One seed of a run."""

    run: Run
    seed: int
    data: Any
    held_out: Any
    about: Mapping[str, Any]  # see model_folder.about


def run(
    runs: Sequence[Run],
    *,
    data_dir: str | None = None,
    most: int = 0,
    how: str | None = None,
    data_on_device: str = 'auto',
    chunk: int | None = None,
) -> Failures:
    """Trains the seeds of all runs together; returns {run folder: reason} of failures.

    The runs are of one group (grouping.share), with the same stages. Each ends as
    runner.run leaves it, but for the rounding of parallel.over_runs, and resumes from
    its own checkpoint. If the device lacks memory, half as many are tried.

    Args:
      most: seeds at a time; 0 for all of them.
      how: see parallel.over_runs.
      data_on_device: one of training.on_device.CHOICES.
      chunk: steps in a dispatch; chosen by the backend if None.

    Raises:
      ValueError: the data cannot lie on the device though that was asked.
      folder.FolderError: a folder cannot be used.
      Interrupted: SIGINT or SIGTERM came; everything is saved.
    """
    failed: Failures = {}
    with contextlib.ExitStack() as stack:
        for member in runs:
            experiment = member.experiment
            runner.check(experiment)
            claim = folder.claim(member.run_dir, experiment.name, experiment.config)
            stack.enter_context(claim)
        stop = stack.enter_context(hook.stop_signal())
        waiting = [
            (member, seed)
            for member in runs
            for seed in member.experiment.seeds
            if not stages.finished(member.experiment, seed, member.run_dir)
        ]
        data: dict[int, Any] = {}  # of each seed, the same within a group
        lanes = list(_lanes(waiting, data, data_dir))
        starts = {seed: provenance.start(seed, of) for seed, of in data.items()}
        for lane in lanes:
            experiment = lane.run.experiment
            start = {**starts[lane.seed], 'golden': experiment.golden}
            runner.note_start(experiment, lane.run.run_dir, start)
        most = most or len(lanes)
        while lanes:
            ready, behind = abreast.split(lanes)
            devices, now = _fit_devices(min(most, len(ready)))
            some, rest = ready[:now], [*ready[now:], *behind]
            try:
                _train(some, _How(how, devices, data_on_device, chunk), stop, failed)
            except hook.AllFailed:
                pass  # each has its reason in `failed`
            except jax.errors.JaxRuntimeError as error:
                if 'RESOURCE_EXHAUSTED' not in str(error) or len(some) == devices:
                    raise
                most = (len(some) + 1) // 2
                log.console.print(
                    f'{len(some)} runs do not fit into memory: {most} at a time',
                    soft_wrap=True,
                )
                continue
            lanes = rest
        for member in runs:
            if member.run_dir not in failed:
                runner.finish(
                    member.experiment,
                    member.run_dir,
                    lambda seed: _read(runs[0], seed, data, data_dir),
                )
    return failed


def _lanes(waiting, data, data_dir):
    """One lane each; the data of a seed is read once."""
    held_out = {}
    for member, seed in waiting:
        of_seed = _read(member, seed, data, data_dir)
        if seed not in held_out:
            held_out[seed] = member.experiment.held_out(of_seed)
        about = model_folder.about(member.experiment, seed, of_seed)
        yield _Lane(member, seed, of_seed, held_out[seed], about)


def _read(member: Run, seed: int, data: dict[int, Any], data_dir: str | None) -> Any:
    """The data of a seed, from `data` or read into it."""
    if seed not in data:
        data[seed] = runner.read(member.experiment, seed, data_dir)
    return data[seed]


def _fit_devices(lanes: int) -> tuple[int, int]:
    """(devices, how many lanes to train on them at a time, equally many on each)."""
    devices = min(lanes, jax.local_device_count())
    return devices, lanes - lanes % devices


def _train(lanes: Sequence[_Lane], how: _How, stop, failed: Failures) -> None:
    """All stages of some lanes, which are equally far (abreast.split)."""
    held_out = {lane.seed: lane.held_out for lane in lanes}
    held_out = evaluation.on_device.place(held_out, how.data_on_device)
    previous = [stages.starting_point(lane.run.experiment, lane.data) for lane in lanes]
    for i, stage in enumerate(lanes[0].run.experiment.stages):
        stage_of = [lane.run.experiment.stages[i] for lane in lanes]
        streams = [
            s.stream(lane.data, before)
            for s, lane, before in zip(stage_of, lanes, previous, strict=True)
        ]
        firsts = [
            stages.first_state(s, lane.seed, i, stream[0], before)
            for s, lane, stream, before in zip(
                stage_of, lanes, streams, previous, strict=True
            )
        ]
        _check_shapes(lanes, [stream[0] for stream in streams])
        checkpoint_dirs = [
            stages.checkpoint_dir(lane.run.run_dir, lane.seed, i, stage)
            for lane in lanes
        ]
        states, done = abreast.restore(checkpoint_dirs, firsts)
        alive = [n for n, lane in enumerate(lanes) if lane.run.run_dir not in failed]
        if not alive:
            raise hook.AllFailed
        if done < stage.steps:
            stage_runs = {
                n: StageRun(
                    lanes[n].run.experiment,
                    stage_of[n],
                    lanes[n].seed,
                    held_out[lanes[n].seed],
                    lanes[n].run.run_dir,
                    checkpoint_dirs[n],
                    done,
                    lanes[n].about,
                )
                for n in alive
            }
            if done:
                for n, stage_run in stage_runs.items():
                    keep_chosen(stage_run, done, states[n])
            keys = [stages.key_of(lane.seed, i) for lane in lanes]

            def make_hook(chunk, stage_runs=stage_runs):
                return _hook(stage_runs, stop, lanes, failed, chunk)

            states = _fit(
                stage, states, streams, keys, how, done=done, make_hook=make_hook
            )
        previous = states


def _hook(stage_runs, stop, lanes, failed, chunk) -> hook.RunHook:
    """One hook for all lanes."""

    def split(tree, number):
        """A run's part of a state (runs, ...), or of metrics {name: (k, runs)}."""
        if isinstance(tree, dict):
            return {name: values[:, number] for name, values in tree.items()}
        return _alone(tree, number)

    def on_failure(number, error):
        failed[lanes[number].run.run_dir] = str(error)

    stage = next(iter(stage_runs.values())).stage
    title = f'{len(lanes)} runs, {stage.name}'
    return hook.RunHook(
        stage_runs,
        stop,
        title,
        split=split,
        on_failure=on_failure,
        chunk=chunk,
        background=parallel.evaluates_in_background(),
    )


def _fit(stage, states, streams, keys, how: _How, *, done, make_hook) -> list:
    """The states after a stage; its data leaves the devices with the end of this."""
    state, key, stream = _stack(states), _stack(keys), feed.Stacked(streams)
    sharding = parallel.run_sharding(how.devices) if how.devices > 1 else None
    placed = on_device.place(stream, how.data_on_device, sharding)
    if sharding:
        state, key = jax.device_put((state, key), sharding)
        if placed is stream:
            placed = feed.Sharded(stream, sharding)
    chunk = parallel.chunk_of(placed) if how.chunk is None else how.chunk
    method = parallel.over_runs(lambda: stage.method, how=how.how, devices=how.devices)
    with contextlib.closing(make_hook(chunk)) as run_hook:
        state = fit(
            method,
            state,
            placed,
            key=key,
            steps=stage.steps,
            start=done,
            hooks=[run_hook],
            chunk=chunk,
        )
    return [_alone(state, n) for n in range(len(states))]


def _check_shapes(lanes, batches) -> None:
    def shapes(batch):
        return [np.shape(leaf) for leaf in jax.tree.leaves(batch)]

    for lane, batch in zip(lanes, batches, strict=True):
        if shapes(batch) != shapes(batches[0]):
            one, other = lanes[0].run.experiment.config, lane.run.experiment.config
            raise ValueError(
                f'batches of {shapes(batches[0])} and of {shapes(batch)} cannot train '
                f'in one program: {one} and {other} differ in a field that changes '
                'shapes; leave it out of --traced'
            )


def _stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _alone(state, number):
    """The state of one run, on one device."""
    one = jax.tree.map(lambda leaf: leaf[number], state)
    return jax.device_put(one, jax.local_devices()[0])
