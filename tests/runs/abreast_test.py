"""Which runs may train side by side."""

import pytest

from transfer_jax.runs import abreast, stages, vectorised
from transfer_jax.training import checkpoint


class _Lane:
    """A seed of an experiment, for abreast.split."""

    def __init__(self, experiment, run_dir, seed, *saved):
        self.run, self.seed = vectorised.Run(experiment, run_dir), seed
        for number, steps in enumerate(saved):
            stage = experiment.stages[number]
            folder = stages.checkpoint_dir(run_dir, seed, number, stage)
            for step in steps:
                (folder / str(step)).mkdir(parents=True)

    def steps(self, number):
        experiment, run_dir = self.run
        stage = experiment.stages[number]
        folder = stages.checkpoint_dir(run_dir, self.seed, number, stage)
        return checkpoint.steps(folder)


@pytest.mark.parametrize(
    ('saved', 'ready'),
    [
        ([[[2, 4]], [[2]]], [0, 1]),  # a crash between two checkpoints
        ([[[2]], []], [0, 1]),  # between the first ones
        ([[[4, 5]], [[2]]], [1]),  # too far: it waits
        ([[[4, 6]], [[2, 4]]], [0, 1]),  # between the last ones of a stage
        ([[[4, 6], [2]], [[2, 4]]], [1]),
        ([[[4, 6], [2]], [[4, 6]]], [0, 1]),
        ([[[4, 6], [2, 4]], [[4, 6], [2, 4]]], [0, 1]),
    ],
)
def test_lanes_go_back_by_one_checkpoint_at_most(tiny, tmp_path, saved, ready):
    """Two stages of six steps."""
    lanes = [_Lane(tiny(), tmp_path, n, *steps) for n, steps in enumerate(saved)]
    found, others = abreast.split(lanes)
    assert [lane.seed for lane in found] == ready
    assert {lane.seed for lane in others} == {0, 1} - set(ready)
    places = {tuple(tuple(lane.steps(i)) for i in (0, 1)) for lane in found}
    assert len({max((*one[0], 0)) + max((*one[1], 0)) for one in places}) == 1
    for lane in others:
        assert lane.steps(0) == saved[lane.seed][0]
