"""Stages of an experiment: their keys, first states and checkpoints."""

import pathlib
from collections.abc import Callable
from typing import Any

import jax

from transfer_jax.runs import folder
from transfer_jax.runs.experiment import Experiment, Stage
from transfer_jax.training import TrainState, checkpoint
from transfer_jax.types import Array


class NotFinished(ValueError):
    """A seed has not been trained to its end."""


def restore(
    experiment: Experiment,
    run_dir: pathlib.Path,
    seed: int,
    data: Any,
    stages: int | None = None,
) -> TrainState:
    """The final state of a finished seed.

    Args:
      stages: the state after so many stages instead; 0 is the initial one.

    Raises:
      NotFinished: its checkpoint does not exist.
    """
    previous = starting_point(experiment, data)
    if stages == 0:
        stage = experiment.stages[0]
        return first_state(stage, seed, 0, stage.stream(data, None)[0], previous)()
    for i, stage in enumerate(experiment.stages[:stages]):
        first = first_state(stage, seed, i, stage.stream(data, previous)[0], previous)
        restored = resume(checkpoint_dir(run_dir, seed, i, stage), first)
        if restored is None or restored.step != stage.steps:
            raise NotFinished(f'seed {seed} in {run_dir} has not run to its end')
        previous = restored.state
    return previous


def finished(experiment: Experiment, seed: int, run_dir: pathlib.Path) -> bool:
    """Whether a seed has its last evaluation and its last checkpoint."""
    i, stage = len(experiment.stages) - 1, experiment.stages[-1]
    if not (checkpoint_dir(run_dir, seed, i, stage) / str(stage.steps)).is_dir():
        return False
    return any(
        (row['seed'], row['stage'], row['step']) == (seed, stage.name, stage.steps)
        for row in folder.Rows(run_dir / 'history.jsonl').read()
    )


def starting_point(experiment: Experiment, data: Any) -> TrainState | None:
    """What the first stage starts from, as if it were the state of a stage before."""
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
    checkpoint_dir: pathlib.Path,
    first: Callable[[], TrainState],
    upto: int | None = None,
) -> checkpoint.Restored | None:
    """The newest checkpoint of a stage that starts with first(); None without one.

    Args:
      upto: ignores later steps.
    """
    like = jax.eval_shape(first)
    restored = checkpoint.restore(checkpoint_dir, like, upto)
    if restored is None or not like.values:
        return restored
    # Checkpoints do not hold the traced values of a run.
    return restored._replace(state=restored.state.replace(values=first().values))


def key_of(seed: int, i: int) -> Array:
    """The key of stage i."""
    return jax.random.fold_in(jax.random.key(seed), i)


def checkpoint_dir(
    run_dir: pathlib.Path, seed: int, i: int, stage: Stage
) -> pathlib.Path:
    """The folder of the checkpoints of stage i."""
    return run_dir / 'checkpoints' / f'seed_{seed}' / f'{i}_{stage.name}'
