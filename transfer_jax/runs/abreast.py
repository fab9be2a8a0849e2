"""Which of several runs have come equally far, so that they can train side by side."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from transfer_jax.runs import stages
from transfer_jax.training import TrainState, checkpoint


class Place(NamedTuple):
    """A number of stages that are over, and steps of the next one."""

    stage: int
    step: int


def split(lanes: Sequence[Any]) -> tuple[list, list]:
    """(the lanes that are least far, the others), each in the order given.

    A crash may have come between the checkpoints of two lanes. One that is a single
    checkpoint ahead of the least therefore goes back to the one before, and what it has
    beyond is removed. All lanes further ahead wait, and keep what they have.

    Args:
      lanes: with the attributes `run` (its experiment and folder) and `seed`.
    """
    places = [_place(lane) for lane in lanes]
    least = min(places)
    ready, others = [], []
    for lane, place in zip(lanes, places, strict=True):
        if place == least:
            ready.append(lane)
        elif _one_ahead(lane, place, least):
            checkpoint.drop_after(_folder(lane, least.stage), least.step)
            ready.append(lane)
        else:
            others.append(lane)
    return ready, others


def restore(
    checkpoint_dirs: Sequence[pathlib.Path],
    firsts: Sequence[Callable[[], TrainState]],
) -> tuple[list[TrainState], int]:
    """(the states of all lanes of `split` after the same step, that step).

    A damaged checkpoint may still set one of them back; then all go back.

    Args:
      checkpoint_dirs: of a stage, one a lane.
      firsts: the first states of that stage.
    """
    upto = None
    while True:
        restored = [
            stages.resume(path, first, upto)
            for path, first in zip(checkpoint_dirs, firsts, strict=True)
        ]
        steps = {0 if one is None else one.step for one in restored}
        if len(steps) == 1:
            break
        upto = min(steps)  # a crash came between the checkpoints of two lanes
    states = [
        first() if one is None else one.state
        for one, first in zip(restored, firsts, strict=True)
    ]
    (step,) = steps
    for path in checkpoint_dirs:
        checkpoint.drop_after(path, step)
    return states, step


def _place(lane) -> Place:
    experiment = lane.run.experiment
    for number, stage in enumerate(experiment.stages):
        saved = checkpoint.steps(_folder(lane, number))
        newest = saved[-1] if saved else 0
        if newest < stage.steps:
            return Place(number, newest)
    return Place(len(experiment.stages) - 1, stage.steps)


def _one_ahead(lane, place: Place, least: Place) -> bool:
    """Whether the checkpoint before the newest is the least place."""
    if place.stage != least.stage and place != Place(least.stage + 1, 0):
        return False
    saved = [0, *checkpoint.steps(_folder(lane, least.stage))]
    return saved[-2:-1] == [least.step]


def _folder(lane, number: int) -> pathlib.Path:
    experiment, run_dir = lane.run
    stage = experiment.stages[number]
    return stages.checkpoint_dir(run_dir, lane.seed, number, stage)
