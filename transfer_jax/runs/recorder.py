"""Records one seed of one stage: metrics, evaluations, checkpoints, events."""

import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from transfer_jax import evaluation, selection
from transfer_jax.runs import folder, model_folder, provenance
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
    about: Mapping[str, Any] | None = None  # see model_folder.about; None: no models

    @property
    def final(self) -> bool:
        """Whether it is the last stage, whose rows the rules choose from."""
        return self.stage is self.experiment.stages[-1]


class Recorder:
    """Writes what happens in a stage. It decides neither when nor whether to stop.

    Attributes:
      latest: the metrics of the newest step.
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
        self.latest: Mapping[str, float] = {}
        self.evaluation: Mapping[str, float] | None = None

    def record(
        self, step: int, metrics: Mapping[str, np.ndarray], rows: Sequence[int]
    ) -> None:
        """Checks the losses of the steps up to `step`; writes the metrics of some.

        Args:
          metrics: {name: (k,)}, of k steps of which `step` is the last.
          rows: those of the k steps whose metrics are written.

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
        self.latest = {name: float(v[-1]) for name, v in metrics.items()}
        for at in rows:
            row = {name: float(v[at - step - 1]) for name, v in metrics.items()}
            self._metrics.append(self._labels(at) | row)
            self._events.write(at, row)

    def keep(self, step: int, state: TrainState, *, evaluated: bool) -> None:
        """Evaluates a state if asked, and saves it: scores, then row, then checkpoint.

        It may run in another thread than `record`.

        Raises:
          NonFiniteError: a parameter is not finite. No NaN is ever saved, whatever the
            loss was.
        """
        for name, params in jax.device_get(state.params).items():
            if not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(params)):
                raise NonFiniteError(
                    f'parameters of {name!r} are not finite after step {step} of stage '
                    f'{self._run.stage.name!r}, seed {self._run.seed}; {_CURE}'
                )
        if evaluated:
            run = self._run
            predicts = bind(run.experiment, run.stage, parallel.local(state))
            final = run.final and step == run.stage.steps
            row = dict(run.experiment.measure(predicts, run.held_out, final))
            self._history.append(self._labels(step) | row)
            self.evaluation = row
        checkpoint.save(self._run.checkpoint_dir, state, step)
        if evaluated:
            keep_chosen(self._run, step, parallel.local(state))

    def show_evaluation(self, step: int) -> None:
        """Writes the events of the newest evaluation, which was of this step."""
        self._events.write(step, self.evaluation)

    def note_cost(self, seconds: float, waited: float) -> None:
        """Writes down what the steps of this start have cost.

        Args:
          seconds: in all.
          waited: seconds in which training stood still for evaluations.
        """
        row = {'seed': self._run.seed, 'stage': self._run.stage.name}
        row |= {'seconds': seconds, 'waited': waited}
        row |= {'peak_memory': provenance.peak_memory()}
        folder.Rows(self._run.run_dir / 'costs.jsonl').append(row)

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


def keep_chosen(run: StageRun, step: int, state: TrainState) -> None:
    """Writes the model of each rule that picks the evaluation of a step.

    The rules choose among the rows up to the step. A rule that is not defined, see
    selection.defined, has no model. It is called again with a restored state, because a
    crash may have come between a checkpoint and the models of its step.
    """
    if run.about is None or not parallel.is_first():
        return
    for rule, picks in _picks(run, step).items():
        path = model_folder.rule_dir(run.run_dir, run.seed, rule)
        if picks is None:
            shutil.rmtree(path, ignore_errors=True)
        elif picks:
            picked = model_folder.Picked(rule, step, run.stage.method, state)
            model_folder.write(path, run.about, picked)


def models_differ(run: StageRun, step: int) -> bool:
    """Whether a model of a step is missing, or one is there whose rule picks none."""
    for rule, picks in _picks(run, step).items():
        path = model_folder.rule_dir(run.run_dir, run.seed, rule)
        if picks is None and path.exists():
            return True
        if picks and model_folder.step_of(path) != step:
            return True
    return False


def _picks(run: StageRun, step: int) -> dict[str, bool | None]:
    """{rule: whether it picks the evaluation of a step; None where it is not defined}.

    The rules are those that read no target labels. The last model is that of the last
    step, and comes last: a seed that has it is finished.
    """
    if not run.final:
        return {}
    rows = [
        row
        for row in folder.Rows(run.run_dir / 'history.jsonl').read()
        if (row['seed'], row['stage']) == (run.seed, run.stage.name)
        and row['step'] <= step
    ]
    if not rows:
        return {}
    rules = {c: rule for c, rule in run.experiment.rules.items() if not rule.oracle}
    picks: dict[str, bool | None] = {}
    for column, rule in rules.items():
        if rule.name is not None:
            defined = selection.defined(rows, rule)
            picks[column] = (
                selection.choose(rows, rule)['step'] == step if defined else None
            )
    at_end = step == run.stage.steps
    return picks | {c: at_end for c, rule in rules.items() if rule.name is None}


_CURE = 'the last good checkpoint is kept. A smaller learning rate is the usual cure'
