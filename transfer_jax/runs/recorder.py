"""Records one seed of one stage: metrics, evaluations, checkpoints, events."""

import pathlib
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from transfer_jax import evaluation, selection
from transfer_jax.runs import folder
from transfer_jax.runs.experiment import Experiment, Stage
from transfer_jax.training import TrainState, checkpoint, log, parallel


class NonFiniteError(ValueError):
    """A loss or a parameter is NaN or infinite."""


class StageRun(NamedTuple):
    """One seed of one stage, and its folders."""

    experiment: Experiment
    stage: Stage
    seed: int
    held_out: Any
    run_dir: pathlib.Path
    checkpoint_dir: pathlib.Path
    done: int = 0  # steps that an earlier start has taken

    @property
    def final(self) -> bool:
        """Whether it is the last stage, whose rows the rules choose from."""
        return self.stage is self.experiment.stages[-1]


class Recorder:
    """Writes what happens in a stage. It decides neither when nor whether to stop.

    Attributes:
      latest: the newest row of metrics.
      evaluation: the newest row of the history; None before the first one.
    """

    def __init__(self, run: StageRun):
        self._run = run
        self._metrics = folder.Rows(run.run_dir / 'metrics.jsonl')
        self._history = folder.Rows(run.run_dir / 'history.jsonl')
        for rows in (self._metrics, self._history):
            rows.rewind(run.seed, run.stage.name, run.done)
        events = run.run_dir / 'events' / f'seed_{run.seed}_{run.stage.name}'
        self._events = log.Events(events, run.done + 1)
        if run.done:  # a crash may have come between a checkpoint and its copies
            keep_chosen(run, run.done)
        self.latest: Mapping[str, float] = {}
        self.evaluation: Mapping[str, float] | None = None

    def record(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Checks the losses of the steps up to `step`; writes the metrics of the last.

        Args:
          metrics: {name: (k,)}, of k steps of which `step` is the last.

        Raises:
          NonFiniteError: a loss is not finite.
        """
        for name, values in metrics.items():
            wrong = np.flatnonzero(~np.isfinite(values))
            if name.endswith('/loss') and wrong.size:
                phase = name.rpartition('/')[0]
                at = step - len(values) + 1 + wrong[0]
                raise NonFiniteError(
                    f'the loss of phase {phase!r} is {values[wrong[0]]} at step {at} '
                    f'of stage {self._run.stage.name!r}, seed {self._run.seed}; {_CURE}'
                )
        row = self.latest = {name: float(v[-1]) for name, v in metrics.items()}
        self._metrics.append(self._labels(step) | row)
        self._events.write(step, row)

    def check(self, step: int, state: TrainState) -> None:
        """No NaN is ever saved, whatever the loss was.

        Raises:
          NonFiniteError: a parameter is not finite.
        """
        for name, params in jax.device_get(state.params).items():
            if not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(params)):
                raise NonFiniteError(
                    f'parameters of {name!r} are not finite after step {step} of stage '
                    f'{self._run.stage.name!r}, seed {self._run.seed}; {_CURE}'
                )

    def evaluate(self, step: int, state: TrainState) -> None:
        """Measures the state and appends the numbers to the history."""
        run = self._run
        predicts = bind(run.experiment, run.stage, parallel.local(state))
        final = run.final and step == run.stage.steps
        row = dict(run.experiment.measure(predicts, run.held_out, final))
        self._history.append(self._labels(step) | row)
        self._events.write(step, row)
        self.evaluation = row

    def save(self, step: int, state: TrainState, *, evaluated: bool) -> None:
        """Saves a checkpoint, and again under each rule that picks this evaluation."""
        checkpoint.save(self._run.checkpoint_dir, state, step)
        if evaluated:
            keep_chosen(self._run, step)

    def close(self) -> None:
        """Writes out the events."""
        self._events.close()

    def _labels(self, step: int) -> dict[str, Any]:
        return {'seed': self._run.seed, 'stage': self._run.stage.name, 'step': step}


def bind(
    experiment: Experiment, stage: Stage, state: TrainState
) -> dict[str, evaluation.Predict]:
    """{domain: predict} of a state, for the domains of the experiment."""
    return {
        domain: evaluation.bind(stage.method, state, domain)
        for domain in experiment.domains
    }


def keep_chosen(run: StageRun, step: int) -> None:
    """Keeps the checkpoint of a step under each rule that picks its evaluation.

    A rule that is not defined, see selection.defined, keeps none.
    """
    if not (run.final and parallel.is_first()):
        return
    rows = [
        row
        for row in folder.Rows(run.run_dir / 'history.jsonl').read()
        if (row['seed'], row['stage']) == (run.seed, run.stage.name)
    ]
    for column, rule in run.experiment.rules.items():
        if rule.name is None or rule.oracle or not rows:
            continue
        into = chosen_dir(run.run_dir, run.seed, column)
        if not selection.defined(rows, rule):
            shutil.rmtree(into, ignore_errors=True)
        elif selection.choose(rows, rule)['step'] == step:
            checkpoint.keep(run.checkpoint_dir, step, into)


def chosen_dir(run_dir: pathlib.Path, seed: int, column: str) -> pathlib.Path:
    """The folder of the checkpoint that a rule picks."""
    return run_dir / 'models' / f'seed_{seed}' / column


_CURE = 'the last good checkpoint is kept. A smaller learning rate is the usual cure'
