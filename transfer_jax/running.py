"""An experiment, and how it runs: stage by stage, seed by seed, exactly resumable."""

import contextlib
import dataclasses
import os
import pathlib
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from transfer_jax import evaluation, folder, metrics, selection
from transfer_jax.training import (
    Method,
    TrainState,
    checkpoint,
    feed,
    fit,
    log,
    parallel,
)
from transfer_jax.types import Array, Batch

LOG_EVERY = 20  # steps between rows of metrics


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


class HeldOut(NamedTuple):
    """What an evaluation reads; only the oracle reads `target_test`."""

    source_validation: Sequence[Batch]  # labelled
    target_train: Sequence[Batch]  # unlabelled
    target_test: Sequence[Batch]  # labelled


class Experiment(NamedTuple):
    """All of a run but its folder. Building one loads no data."""

    name: str  # 'adaptation.dann'
    config: Any  # frozen dataclass of plain values
    arm: str  # 'dann': the row of a table
    task: str  # 'mnist_to_mnist_m, full': its column
    seeds: tuple[int, ...]
    data: Callable[[int, str | None], Any]  # (seed, data folder) -> data of the seed
    held_out: Callable[[Any], HeldOut]
    stages: tuple[Stage, ...] = ()
    # A closed-form method instead of stages: (key, data of the seed) ->
    # {'source': predict, 'target': predict}; the two may map features differently
    closed_form: Callable[[Array, Any], Mapping[str, evaluation.Predict]] | None = None
    classes: Callable[[Any], Sequence[str]] | None = None
    evaluations: int = 20
    validate_as: str = 'source'  # the domain as which source validation is predicted
    fast: bool = False  # a test's run; tables refuse it
    # For a look at them: {domain: .image (n, h, w, c) uint8 and .label (n,)}
    samples: Callable[[Any], Mapping[str, Any]] | None = None


class NonFiniteError(ValueError):
    """A loss is no longer a number."""


class NotFinished(ValueError):
    """There is no last state of a seed yet."""


class Interrupted(Exception):
    """The run was asked to stop and has saved itself."""

    def __init__(self, number: int):
        super().__init__('stopped, and saved; start the same command again to go on')
        self.number = number


def run(
    experiment: Experiment,
    place: pathlib.Path,
    *,
    data_dir: str | None = None,
) -> dict:
    """Run, or go on with, an experiment in a folder; returns what result.json holds.

    Raises:
      folder.FolderError: the folder cannot be used.
      NonFiniteError: a loss is not finite; the last good checkpoint is kept.
      Interrupted: SIGINT or SIGTERM came; everything is saved.
    """
    with folder.claim(place, experiment.name, experiment.config), _signals() as asked:
        history = folder.Rows(place / 'history.jsonl')
        for seed in experiment.seeds:
            if _finished(experiment, seed, place, history):
                continue
            with log.console.status(f'seed {seed}: reading data'):
                data = experiment.data(seed, data_dir)
            if experiment.closed_form is not None:
                _run_closed_form(experiment, data, seed, history)
                if asked:
                    raise Interrupted(asked[0])
            else:
                _run_seed(experiment, data, seed, place, asked)
        result = summarize(experiment, history.read())
        folder.write_json(place / 'result.json', result)
    return result


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
    previous = None
    if stages == 0:
        stage = experiment.stages[0]
        return _starter(stage, seed, 0, stage.stream(data, None)[0], None)()
    for i, stage in enumerate(experiment.stages[:stages]):
        first = _starter(stage, seed, i, stage.stream(data, previous)[0], previous)
        restored = checkpoint.restore(
            _checkpoints(place, seed, i, stage), jax.eval_shape(first)
        )
        if restored is None or restored.step != stage.steps:
            raise NotFinished(f'seed {seed} in {place} has not run to its end')
        previous = restored.state
    return previous


def summarize(experiment: Experiment, history: Sequence[dict]) -> dict:
    """The content of result.json: each rule's row for each seed, and the spread."""
    last_stage = experiment.stages[-1].name if experiment.stages else 'closed_form'
    seeds, chosen = [], {rule: [] for rule in selection.RULES}
    for seed in experiment.seeds:
        rows = [r for r in history if (r['seed'], r['stage']) == (seed, last_stage)]
        rows.sort(key=lambda row: row['step'])
        seeds.append(seed)
        for rule in selection.RULES:
            row = selection.choose(rows, rule)
            chosen[rule].append({'step': row['step'], 'accuracy': row['target_test']})
    columns = {}
    for rule, rows in chosen.items():
        values = [row['accuracy'] for row in rows]
        columns[rule] = {
            'mean': float(np.mean(values)),
            'std': float(np.std(values, ddof=1)) if len(values) > 1 else None,
            'values': values,
            'steps': [row['step'] for row in rows],
        }
    return {
        'experiment': experiment.name,
        'arm': experiment.arm,
        'task': experiment.task,
        'fast': experiment.fast,
        'config': dataclasses.asdict(experiment.config),
        **folder.provenance(),
        'device': f'{os.cpu_count()} cores'
        if jax.default_backend() == 'cpu'
        else jax.devices()[0].device_kind,
        'seeds': seeds,
        'target_test_images': history[-1]['target_test_images'],
        'target_accuracy': columns,
        'fixed_validator': selection.FIXED,
    }


def _finished(experiment, seed, place, history) -> bool:
    """Whether a seed has its last evaluation and its last checkpoint."""
    name, steps = 'closed_form', 0
    if experiment.stages:
        i, stage = len(experiment.stages) - 1, experiment.stages[-1]
        name, steps = stage.name, stage.steps
        if not (_checkpoints(place, seed, i, stage) / str(steps)).is_dir():
            return False
    return any(
        (row['seed'], row['stage'], row['step']) == (seed, name, steps)
        for row in history.read()
    )


def _run_seed(experiment, data, seed, place, asked) -> None:
    held_out = experiment.held_out(data)
    previous = None
    for i, stage in enumerate(experiment.stages):
        stream = stage.stream(data, previous)
        first = _starter(stage, seed, i, stream[0], previous)
        kept = _checkpoints(place, seed, i, stage)
        restored = checkpoint.restore(kept, jax.eval_shape(first))
        state, done = restored if restored else (first(), 0)
        if done < stage.steps:
            state, stream = parallel.spread(state, stream)
            watch = _Watch(experiment, stage, seed, held_out, place, kept, asked, done)
            with contextlib.closing(watch):
                state = fit(
                    stage.method,
                    state,
                    stream,
                    key=_key(seed, i),
                    steps=stage.steps,
                    start=done,
                    hooks=[watch],
                )
        previous = state


def _starter(stage, seed, i, batch, previous):
    """() -> the first state of a stage."""

    def first():
        fresh = stage.method.init(jax.random.fold_in(_key(seed, i), 0), batch)
        return fresh if stage.start is None else stage.start(fresh, previous)

    return first


def _key(seed: int, i: int):
    return jax.random.fold_in(jax.random.key(seed), i)


def _checkpoints(place, seed, i, stage) -> pathlib.Path:
    return place / 'checkpoints' / f'seed_{seed}' / f'{i}_{stage.name}'


def _run_closed_form(experiment, data, seed, history) -> None:
    if any(
        (row['seed'], row['stage']) == (seed, 'closed_form') for row in history.read()
    ):
        return
    predicts = experiment.closed_form(jax.random.key(seed), data)
    row = _measure(predicts, experiment, experiment.held_out(data))
    history.append({'seed': seed, 'stage': 'closed_form', 'step': 0, **row})


def _measure(predicts, experiment, held_out) -> dict:
    """One row of a history."""
    source = evaluation.extract(
        predicts[experiment.validate_as], held_out.source_validation, ['logits']
    )
    target = evaluation.extract(predicts['target'], held_out.target_train, ['logits'])
    label = np.concatenate(
        [
            np.asarray(batch['label'])[np.asarray(batch['mask']) > 0]
            for batch in held_out.source_validation
        ]
    )
    evidence = selection.Evidence(source['logits'], label, target['logits'])
    test = evaluation.evaluate(
        predicts['target'], held_out.target_test, metrics.accuracy()
    )
    return {
        **selection.score(evidence),
        'target_test': test['accuracy'],
        'target_test_images': test['count'],
    }


class _Watch:
    """The hook of a stage: logs, checks, evaluates, saves, and stops when asked."""

    def __init__(self, experiment, stage, seed, held_out, place, kept, asked, done):
        self._experiment, self._stage, self._seed = experiment, stage, seed
        self._held_out, self._kept, self._asked = held_out, kept, asked
        self._metrics = folder.Rows(place / 'metrics.jsonl')
        self._history = folder.Rows(place / 'history.jsonl')
        for rows in (self._metrics, self._history):
            rows.rewind(seed, stage.name, done)
        count = max(1, min(experiment.evaluations, stage.steps))
        self._evaluate_at = {
            round(i * stage.steps / count) for i in range(1, count + 1)
        }
        self._pending = []
        events = place / 'events' / f'seed_{seed}_{stage.name}'
        self._events = log.Events(events, done + 1)
        title = f'{experiment.arm} seed {seed} {stage.name}'
        self._progress = log.Progress(title, stage.steps, done)

    def __call__(self, step, state, values):
        self._pending.append((step, values))
        evaluates, signalled = step in self._evaluate_at, tuple(self._asked)
        if step % LOG_EVERY == 0 or evaluates or signalled:
            self._flush()
        if evaluates or signalled:
            self._check(step, state)
        if evaluates:
            row = self._evaluation(state)
            self._history.append(self._labels(step) | row)
            self._events.write(step, row)
            self._progress.line(
                step, {k: v for k, v in row.items() if isinstance(v, float)}
            )
        if evaluates or signalled:
            checkpoint.save(self._kept, state, step)
        if signalled:
            raise Interrupted(signalled[0])

    def close(self):
        self._progress.close()
        self._events.close()

    def _labels(self, step):
        return {'seed': self._seed, 'stage': self._stage.name, 'step': step}

    def _evaluation(self, state):
        method = self._stage.method
        predicts = {
            domain: evaluation.bind(method, state, domain)
            for domain in ('source', 'target')
        }
        return _measure(predicts, self._experiment, self._held_out)

    def _check(self, step, state):
        """No parameter that is not a number is ever saved, whatever its loss was."""
        for name, params in jax.device_get(state.params).items():
            if not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(params)):
                raise NonFiniteError(
                    f'parameters of {name!r} are not finite after step {step} of '
                    f'stage {self._stage.name!r}, seed {self._seed}; the last good '
                    'checkpoint is kept. A smaller learning rate is the usual cure'
                )

    def _flush(self):
        """Fetch the metrics of the steps since the last flush, and check them."""
        pending, self._pending = jax.device_get(self._pending), []
        for step, values in pending:
            for name, value in values.items():
                if name.endswith('/loss') and not np.all(np.isfinite(value)):
                    phase = name.rpartition('/')[0]
                    raise NonFiniteError(
                        f'the loss of phase {phase!r} is {value} at step {step} of '
                        f'stage {self._stage.name!r}, seed {self._seed}; the last good '
                        'checkpoint is kept. A smaller learning rate is the usual cure'
                    )
        step, values = pending[-1]
        row = {name: float(value) for name, value in values.items()}
        self._metrics.append(self._labels(step) | row)
        self._events.write(step, row)
        self._progress.update(step, row)


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """A list to which SIGINT and SIGTERM add their number while the block runs."""
    asked: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)

    def note(number, frame):
        del frame
        if asked:  # the second time, do not wait for the end of the step
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
