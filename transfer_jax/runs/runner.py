"""An experiment, and how it runs: stage by stage, seed by seed, exactly resumable."""

import contextlib
import json
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from transfer_jax import evaluation
from transfer_jax.runs import folder, result, hook
from transfer_jax.training import (
    Hook,
    Method,
    TrainState,
    checkpoint,
    feed,
    fit,
    log,
    parallel,
)
from transfer_jax.types import Array


class Stage(NamedTuple):
    """A stretch of training with one method.

    Stage i has its own checkpoint folder and the key fold_in(key of the seed, i).
    """

    name: str
    steps: int
    method: Method
    # (data of the seed, last state of the previous stage) -> its stream
    stream: Callable[[Any, TrainState | None], feed.Stream]
    # (fresh state, last state of the previous stage) -> its first state
    start: Callable[[TrainState, TrainState | None], TrainState] | None = None
    # Metrics of the method that are printed at each evaluation: its mechanism
    shows: tuple[str, ...] = ()


class Experiment(NamedTuple):
    """All of a run but its folder. Building one loads no data."""

    name: str  # 'adaptation.dann'
    config: Any  # frozen dataclass of plain values
    arm: str  # 'dann': the row of a table
    task: str  # 'mnist_to_mnist_m, full': its column
    seeds: tuple[int, ...]
    data: Callable[[int, str | None], Any]  # (seed, data folder) -> data of the seed
    held_out: Callable[[Any], hook.HeldOut]
    stages: tuple[Stage, ...] = ()
    # data of the seed -> what the first stage starts from, as if it were the state of
    # a stage before it: networks that were trained elsewhere
    before: Callable[[Any], TrainState] | None = None
    # A closed-form method instead of stages: (key, data of the seed) ->
    # {'source': predict, 'target': predict}; the two may map features differently
    closed_form: Callable[[Array, Any], Mapping[str, evaluation.Predict]] | None = None
    classes: Callable[[Any], Sequence[str]] | None = None
    evaluations: int = 20
    validate_as: str = 'source'  # the domain as which source validation is predicted
    fast: bool = False  # a test's run; tables refuse it
    # For a look at them: {domain: .image (n, h, w, c) uint8 and .label (n,)}
    samples: Callable[[Any], Mapping[str, Any]] | None = None


class NotFinished(ValueError):
    """There is no last state of a seed yet."""


def run(
    experiment: Experiment,
    place: pathlib.Path,
    *,
    data_dir: str | None = None,
    hooks: Sequence[Hook] = (),
) -> dict:
    """Run, or go on with, an experiment in a folder; returns what result.json holds.

    Of several processes (jax.distributed), each calls it, with a folder that all see.

    Args:
      hooks: beside those of the run, after every step of every stage.

    Raises:
      folder.FolderError: the folder cannot be used.
      watching.NonFiniteError: a loss is not finite; the last good checkpoint is kept.
      watching.Interrupted: SIGINT or SIGTERM came; everything is saved.
    """
    with _claimed(experiment, place) as own, hook.signals() as asked:
        history = folder.Rows(own / 'history.jsonl')
        for seed in experiment.seeds:
            if finished(experiment, seed, place):
                continue
            with log.console.status(f'seed {seed}: reading data'):
                data = experiment.data(seed, data_dir)
            if experiment.closed_form is not None:
                _run_closed_form(experiment, data, seed, history)
                if asked:
                    raise hook.Interrupted(asked[0])
            else:
                _run_seed(experiment, data, seed, place, own, asked, hooks)
        if parallel.is_first():
            found = result.summarize(experiment, history.read())
            folder.write_json(place / 'result.json', found)
        parallel.wait()
    return json.loads((place / 'result.json').read_text())


@contextlib.contextmanager
def _claimed(experiment, place) -> Iterator[pathlib.Path]:
    """The folder to write rows to: of several processes, the first owns the run's own.

    The others do the same in a folder that they throw away.
    """
    if parallel.is_first():
        with folder.claim(place, experiment.name, experiment.config):
            parallel.wait()
            yield place
    else:
        parallel.wait()
        with tempfile.TemporaryDirectory() as scratch:
            yield pathlib.Path(scratch)


def restore(
    experiment: Experiment,
    place: pathlib.Path,
    seed: int,
    data: Any,
    stages: int | None = None,
) -> TrainState:
    """The last state of a seed that has run to its end.

    Args:
      stages: the state after so many stages instead; 0 is the one before any step.

    Raises:
      NotFinished: the checkpoint is not there.
    """
    previous = starting_point(experiment, data)
    if stages == 0:
        stage = experiment.stages[0]
        return first_state(stage, seed, 0, stage.stream(data, None)[0], previous)()
    for i, stage in enumerate(experiment.stages[:stages]):
        first = first_state(stage, seed, i, stage.stream(data, previous)[0], previous)
        restored = resume(checkpoints(place, seed, i, stage), first)
        if restored is None or restored.step != stage.steps:
            raise NotFinished(f'seed {seed} in {place} has not run to its end')
        previous = restored.state
    return previous


def finished(experiment: Experiment, seed: int, place: pathlib.Path) -> bool:
    """Whether a seed has its last evaluation and its last checkpoint."""
    name, steps = 'closed_form', 0
    if experiment.stages:
        i, stage = len(experiment.stages) - 1, experiment.stages[-1]
        name, steps = stage.name, stage.steps
        if not (checkpoints(place, seed, i, stage) / str(steps)).is_dir():
            return False
    return any(
        (row['seed'], row['stage'], row['step']) == (seed, name, steps)
        for row in folder.Rows(place / 'history.jsonl').read()
    )


def _run_seed(experiment, data, seed, place, own, asked, hooks) -> None:
    held_out = experiment.held_out(data)
    previous = starting_point(experiment, data)
    for i, stage in enumerate(experiment.stages):
        stream = stage.stream(data, previous)
        first = first_state(stage, seed, i, stream[0], previous)
        kept = checkpoints(place, seed, i, stage)
        restored = resume(kept, first)
        state, done = restored if restored else (first(), 0)
        if done < stage.steps:
            state, stream = parallel.spread(state, stream)
            watch = hook.Watch(
                experiment,
                stage,
                seed,
                held_out,
                own,
                kept,
                asked,
                done,
                quiet=not parallel.is_first(),
            )
            with contextlib.closing(watch):
                state = fit(
                    stage.method,
                    state,
                    stream,
                    key=key_of(seed, i),
                    steps=stage.steps,
                    start=done,
                    hooks=[watch, *hooks],
                )
            state = parallel.local(state)
        previous = state


def starting_point(experiment: Experiment, data: Any) -> TrainState | None:
    """What the first stage starts from, as if it were a state of one before."""
    return experiment.before(data) if experiment.before else None


def first_state(
    stage: Stage, seed: int, i: int, batch: Any, previous: TrainState | None
) -> Callable[[], TrainState]:
    """() -> the first state of stage i."""

    def first():
        fresh = stage.method.init(jax.random.fold_in(key_of(seed, i), 0), batch)
        return fresh if stage.start is None else stage.start(fresh, previous)

    return first


def resume(
    kept: pathlib.Path, first: Callable[[], TrainState], upto: int | None = None
) -> checkpoint.Restored | None:
    """The newest checkpoint of a stage that begins with first(); None: there is none.

    Args:
      upto: none after this step.
    """
    like = jax.eval_shape(first)
    restored = checkpoint.restore(kept, like, upto)
    if restored is None or not like.values:
        return restored
    # A checkpoint is without the values of the run.
    return restored._replace(state=restored.state.replace(values=first().values))


def key_of(seed: int, i: int) -> Array:
    """The key of stage i."""
    return jax.random.fold_in(jax.random.key(seed), i)


def checkpoints(place: pathlib.Path, seed: int, i: int, stage: Stage) -> pathlib.Path:
    """The folder of the checkpoints of stage i."""
    return place / 'checkpoints' / f'seed_{seed}' / f'{i}_{stage.name}'


def _run_closed_form(experiment, data, seed, history) -> None:
    if any(
        (row['seed'], row['stage']) == (seed, 'closed_form') for row in history.read()
    ):
        return
    predicts = experiment.closed_form(jax.random.key(seed), data)
    held_out = experiment.held_out(data)
    row = hook.measure(predicts, experiment, held_out, final=True)
    history.append({'seed': seed, 'stage': 'closed_form', 'step': 0, **row})
