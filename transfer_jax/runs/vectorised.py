"""Several runs of one program, trained side by side.

Each has its own folder, seed, data, checkpoints and history, as if it were alone.
"""

import contextlib
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.runs import folder, result, runner, hook
from transfer_jax import selection
from transfer_jax.training import feed, fit, log, parallel

# Whatever a run may fail of that is no fault of the others.
Failures = dict[pathlib.Path, str]


class Run(NamedTuple):
    """An experiment and its folder."""

    experiment: runner.Experiment
    place: pathlib.Path


class _AllFailed(Exception):
    """No run of those that train side by side is left."""


class _Lane(NamedTuple):
    """One seed of a run."""

    run: Run
    seed: int
    data: Any
    held_out: hook.HeldOut


def run(
    runs: Sequence[Run],
    *,
    data_dir: str | None = None,
    most: int = 0,
    how: str | None = None,
) -> Failures:
    """Train the seeds of all runs side by side; {folder of a run that failed: why}.

    The runs are of one group (together.share): they have the same stages. Each is left
    as running.run leaves it, but for the rounding of parallel.over_runs, and goes on
    from its own checkpoint. If the device lacks memory, half as many are tried.

    Args:
      most: seeds side by side; 0 for all of them.
      how: see parallel.over_runs.

    Raises:
      folder.FolderError: a folder cannot be used.
      watching.Interrupted: SIGINT or SIGTERM came; everything is saved.
    """
    failed: Failures = {}
    with contextlib.ExitStack() as stack:
        for own in runs:
            experiment = own.experiment
            claim = folder.claim(own.place, experiment.name, experiment.config)
            stack.enter_context(claim)
        asked = stack.enter_context(hook.signals())
        waiting = [
            (own, seed)
            for own in runs
            for seed in own.experiment.seeds
            if not runner.finished(own.experiment, seed, own.place)
        ]
        lanes = list(_lanes(waiting, data_dir))
        most = most or len(lanes)
        while lanes:
            devices, now = _spread(min(most, len(lanes)))
            some, rest = lanes[:now], lanes[now:]
            try:
                _train(some, how, devices, asked, failed)
            except _AllFailed:
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
        for own in runs:
            if own.place not in failed:
                rows = folder.Rows(own.place / 'history.jsonl').read()
                found = result.summarize(own.experiment, rows)
                folder.write_json(own.place / 'result.json', found)
    return failed


def _lanes(waiting, data_dir):
    """Each with its data, which is read once for a seed: it is the same in a group."""
    read = {}
    for own, seed in waiting:
        if seed not in read:
            with log.console.status(f'seed {seed}: reading data'):
                data = own.experiment.data(seed, data_dir)
            read[seed] = data, own.experiment.held_out(data)
        yield _Lane(own, seed, *read[seed])


def _spread(lanes: int) -> tuple[int, int]:
    """(devices, how many lanes to train on them at a time, equally many on each)."""
    devices = min(lanes, jax.local_device_count())
    return devices, lanes - lanes % devices


def _train(lanes: Sequence[_Lane], how, devices, asked, failed: Failures) -> None:
    """All stages of some lanes."""
    previous = [
        runner.starting_point(lane.run.experiment, lane.data) for lane in lanes
    ]
    for i, stage in enumerate(lanes[0].run.experiment.stages):
        own = [lane.run.experiment.stages[i] for lane in lanes]
        streams = [
            s.stream(lane.data, before)
            for s, lane, before in zip(own, lanes, previous, strict=True)
        ]
        firsts = [
            runner.first_state(s, lane.seed, i, stream[0], before)
            for s, lane, stream, before in zip(
                own, lanes, streams, previous, strict=True
            )
        ]
        _check_shapes(lanes, [stream[0] for stream in streams])
        kept = [
            runner.checkpoints(lane.run.place, lane.seed, i, stage) for lane in lanes
        ]
        states, done = _restore(kept, firsts)
        if all(lane.run.place in failed for lane in lanes):
            raise _AllFailed
        if done < stage.steps:
            watch = _Together(lanes, own, kept, asked, done, failed)
            keys = [runner.key_of(lane.seed, i) for lane in lanes]
            state, key, stream = _stack(states), _stack(keys), feed.Stacked(streams)
            if devices > 1:
                place = parallel.by_runs(devices)
                state, key = jax.device_put((state, key), place)
                stream = feed.Sharded(stream, place)
            method = parallel.over_runs(
                lambda: stage.method,  # noqa: B023
                how=how,
                devices=devices,
            )
            with contextlib.closing(watch):
                state = fit(
                    method,
                    state,
                    stream,
                    key=key,
                    steps=stage.steps,
                    start=done,
                    hooks=[watch],
                )
            states = [_alone(state, r) for r in range(len(lanes))]
        previous = states


def _restore(kept, firsts):
    """(the states of all lanes after the same step, that step)."""
    upto = None
    while True:
        found = [
            runner.resume(place, first, upto)
            for place, first in zip(kept, firsts, strict=True)
        ]
        steps = {0 if restored is None else restored.step for restored in found}
        if len(steps) == 1:
            break
        upto = min(steps)  # a crash came between the checkpoints of two lanes
    states = [
        first() if restored is None else restored.state
        for restored, first in zip(found, firsts, strict=True)
    ]
    return states, steps.pop()


def _check_shapes(lanes, batches) -> None:
    def shapes(batch):
        return [np.shape(leaf) for leaf in jax.tree.leaves(batch)]

    for lane, batch in zip(lanes, batches, strict=True):
        if shapes(batch) != shapes(batches[0]):
            one, other = lanes[0].run.experiment.config, lane.run.experiment.config
            raise ValueError(
                f'batches of {shapes(batches[0])} and of {shapes(batch)} cannot run '
                f'side by side: {one} and {other} differ in a field that changes '
                'shapes; leave it out of --traced'
            )


def _stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _of_run(tree, r):
    return jax.tree.map(lambda leaf: leaf[r], tree)


def _alone(state, r):
    """The state of a run, on one device."""
    return jax.device_put(_of_run(state, r), jax.local_devices()[0])


class _Together:
    """The hook of a stage: what watching.Watch does, for every lane."""

    def __init__(self, lanes, stages, kept, asked, done, failed):
        self._lanes, self._asked, self._failed = lanes, asked, failed
        self._told: list[int] = []  # the signals that the watches know of
        self._watches: dict[int, hook.Watch] = {
            r: hook.Watch(
                lane.run.experiment,
                stage,
                lane.seed,
                lane.held_out,
                lane.run.place,
                place,
                self._told,
                done,
                quiet=True,
            )
            for r, (lane, stage, place) in enumerate(
                zip(lanes, stages, kept, strict=True)
            )
            if lane.run.place not in failed
        }
        self._pending = []
        title = f'{len(lanes)} runs, {stages[0].name}'
        self._progress = log.Progress(title, stages[0].steps, done)

    def __call__(self, step, state, values):
        self._pending.append((step, values))
        some = next(iter(self._watches.values()))
        if not (some.due(step) or self._asked):
            return
        pending, self._pending = jax.device_get(self._pending), []
        signalled, stop = tuple(self._asked), None
        for r, watch in list(self._watches.items()):
            try:
                self._told.clear()
                for own, metrics in pending[:-1]:
                    watch(own, None, _of_run(metrics, r))
                self._told.extend(signalled)  # all of them stop after this step
                watch(step, _alone(state, r), _of_run(pending[-1][1], r))
            except hook.NonFiniteError as error:
                self._failed[self._lanes[r].run.place] = str(error)
                self._watches.pop(r).close()
            except hook.Interrupted as interrupted:
                stop = interrupted
        self._say(step)
        if stop is not None:
            raise stop
        if not self._watches:
            raise _AllFailed

    def _say(self, step):
        """A line at evaluations, with the mean over the lanes."""
        rows = [watch.latest for watch in self._watches.values()]
        if not rows:
            return
        mean = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
        self._progress.update(step, mean)
        evaluated = [watch.evaluated(step) for watch in self._watches.values()]
        if all(row is not None for row in evaluated):
            names = [name for name in selection.RULES.values() if name is not None]
            means = {n: float(np.mean([row[n] for row in evaluated])) for n in names}
            self._progress.line(step, means)

    def close(self):
        """Take the progress away and write out the events."""
        for watch in self._watches.values():
            watch.close()
        self._progress.close()
