"""What surrounds the training of a stage: logging, checks, evaluation, saving."""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from transfer_jax import evaluation, metrics, selection
from transfer_jax.runs import folder
from transfer_jax.training import checkpoint, log, parallel
from transfer_jax.types import Batch

LOG_EVERY = 20  # steps between rows of metrics


class HeldOut(NamedTuple):
    """What an evaluation reads; only the oracle reads `target_test`."""

    source_validation: Sequence[Batch]  # labelled
    target_train: Sequence[Batch]  # unlabelled
    target_test: Sequence[Batch]  # labelled


class NonFiniteError(ValueError):
    """A loss is no longer a number."""


class Interrupted(Exception):
    """The run was asked to stop and has saved itself."""

    def __init__(self, number: int):
        super().__init__('stopped, and saved; start the same command again to go on')
        self.number = number


@contextlib.contextmanager
def signals() -> Iterator[list[int]]:
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


def measure(predicts, experiment, held_out, *, final: bool = False) -> dict:
    """One row of a history; the final one of a run has the diagnostics too."""
    source = _answers(predicts[experiment.validate_as], held_out.source_validation)
    target = _answers(predicts['target'], held_out.target_train)
    label = np.concatenate(
        [
            np.asarray(batch['label'])[np.asarray(batch['mask']) > 0]
            for batch in held_out.source_validation
        ]
    )
    features = _comparable(source, target)
    evidence = selection.Evidence(
        source['logits'],
        label,
        selection.density_ratio(*features),
        target['logits'],
        *_probe(predicts['target'], held_out.target_train, target['logits'].argmax(-1)),
    )
    test = evaluation.evaluate(
        predicts['target'], held_out.target_test, metrics.accuracy()
    )
    return {
        **selection.score(evidence),
        **(selection.diagnose(features[0], label, features[1]) if final else {}),
        'target_test': test['accuracy'],
        'target_test_images': test['count'],
    }


class Watch:
    """The hook of a stage: logs, checks, evaluates, saves, and stops when asked."""

    def __init__(
        self, experiment, stage, seed, held_out, place, kept, asked, done, quiet=False
    ):
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
        self._pending, self.latest = [], {}  # metrics of the last row
        self._evaluated = 0, None  # a step and its row
        events = place / 'events' / f'seed_{seed}_{stage.name}'
        self._events = log.Events(events, done + 1)
        title = f'{experiment.arm} seed {seed} {stage.name}'
        self._progress = None if quiet else log.Progress(title, stage.steps, done)

    def __call__(self, step, state, values):
        self._pending.append((step, values))
        evaluates, signalled = step in self._evaluate_at, self._signalled(step)
        if self.due(step) or signalled:
            self._flush()
        if evaluates or signalled:
            self._check(step, state)
        if evaluates:
            row = self._evaluation(step, state)
            self._history.append(self._labels(step) | row)
            self._events.write(step, row)
            self._evaluated = step, row
            if self._progress is not None:
                said = {k: row[k] for k in selection.RULES.values() if k is not None}
                latest = self.latest
                shown = {k: latest[k] for k in self._stage.shows if k in latest}
                self._progress.line(step, {**said, **shown})
        if evaluates or signalled:
            checkpoint.save(self._kept, state, step)
        if signalled:
            raise Interrupted(signalled[0])

    def _signalled(self, step) -> tuple[int, ...]:
        """The signals that have come; of several processes, those of any of them."""
        if jax.process_count() == 1:
            return tuple(self._asked)
        if self.due(step) and parallel.any_process(bool(self._asked)):
            return tuple(self._asked) or (signal.SIGTERM,)
        return ()

    def due(self, step: int) -> bool:
        """Whether a step reads metrics or the state."""
        return step % LOG_EVERY == 0 or step in self._evaluate_at

    def evaluated(self, step: int) -> dict | None:
        """The row of the history that was made after a step."""
        last, row = self._evaluated
        return row if last == step else None

    def close(self):
        """Take the progress away and write out the events."""
        if self._progress is not None:
            self._progress.close()
        self._events.close()

    def _labels(self, step):
        return {'seed': self._seed, 'stage': self._stage.name, 'step': step}

    def _evaluation(self, step, state):
        method = self._stage.method
        predicts = {
            domain: evaluation.bind(method, parallel.local(state), domain)
            for domain in ('source', 'target')
        }
        final = self._stage is self._experiment.stages[-1] and step == self._stage.steps
        return measure(predicts, self._experiment, self._held_out, final=final)

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
        row = self.latest = {name: float(value) for name, value in values.items()}
        self._metrics.append(self._labels(step) | row)
        self._events.write(step, row)
        if self._progress is not None:
            self._progress.update(step, row)


def _answers(predict, batches) -> dict[str, np.ndarray]:
    return evaluation.extract(predict, batches, ['logits'], where_given=['features'])


def _comparable(source, target) -> list[np.ndarray]:
    """Both domains' features (n, d) and (m, d); logits where they do not compare.

    A closed-form method may have none, or put each domain into a space of its own.
    """
    parts = [answers.get('features') for answers in (source, target)]
    if all(part is not None for part in parts):
        parts = [part.reshape(len(part), -1) for part in parts]
        if parts[0].shape[1] == parts[1].shape[1]:
            return parts
    return [source['logits'], target['logits']]


def _probe(predict, batches, label) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evidence of mixed images: logits, labels of their dominant images, same or not.

    Args:
      label: (m,) predicted for the images of the batches.
    """
    partners = []

    def mixed():
        start = 0
        for batch in batches:
            stop = start + int(np.sum(np.asarray(batch['mask']) > 0))
            partner = selection.partners(label[start:stop])
            partners.append(start + partner)
            yield selection.mix(batch, partner)
            start = stop

    logits = _answers(predict, mixed())['logits']
    partner = np.concatenate(partners)
    pairs = partner != np.arange(len(label))
    return logits[pairs], label[pairs], (label == label[partner])[pairs]
