"""The hook of a run: when to record, evaluate and save, and when to stop.

One hook serves a run by itself and several runs in one program (runs.vectorised).
"""

import bisect
import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from transfer_jax.runs.recorder import NonFiniteError, Recorder, StageRun
from transfer_jax.training import TrainState, log, parallel

LOG_EVERY = 20  # steps between rows of metrics


class Interrupted(Exception):
    """The run was asked to stop and has saved itself."""

    def __init__(self, number: int):
        super().__init__('stopped, and saved; start the same command again to go on')
        self.number = number


class AllFailed(Exception):
    """None of several runs is left; each has its reason."""


class StopSignal:
    """Attributes: received, the number of the first SIGINT or SIGTERM; None so far."""

    received: int | None = None


@contextlib.contextmanager
def stop_signal() -> Iterator[StopSignal]:
    """Notes SIGINT and SIGTERM while the block runs; the second interrupts at once."""
    stop = StopSignal()

    def note(number, frame):
        del frame
        if stop.received is not None:
            raise KeyboardInterrupt
        stop.received = number

    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.signal(number, note) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


class RunHook:
    """Records a stage of one run, or of several that train as one program."""

    def __init__(
        self,
        runs: Mapping[int, StageRun],
        stop: StopSignal,
        title: str,
        *,
        split: Callable[[Any, int], Any] | None = None,
        on_failure: Callable[[int, NonFiniteError], None] | None = None,
        quiet: bool = False,
    ):
        """A hook of `fit`.

        Args:
          runs: {number: run}, of the same stage and the same steps done.
          title: for the line of progress.
          split: (state or metrics (steps, runs), number) -> those of that run. None for
            a single run.
          on_failure: called for a run that diverged; the others continue. None raises.
          quiet: no progress, as in every process but the first.
        """
        self._recorders = {number: Recorder(run) for number, run in runs.items()}
        self._stop, self._on_failure = stop, on_failure
        self._split = split or (lambda tree, number: tree)
        run = next(iter(runs.values()))
        self._steps, self._rules = run.stage.steps, run.experiment.rules.values()
        self._logged_metrics = run.stage.logged_metrics
        count = max(1, min(run.experiment.evaluations, self._steps))
        self._evaluations = sorted(
            {round(i * self._steps / count) for i in range(1, count + 1)}
        )
        self._progress = None if quiet else log.Progress(title, self._steps, run.done)

    def next_due(self, step: int) -> int:
        """The first step after `step` that is recorded."""
        if self._stop.received is not None and jax.process_count() == 1:
            return step + 1
        logged = (step // LOG_EVERY + 1) * LOG_EVERY
        later = bisect.bisect_right(self._evaluations, step)
        return min([logged, *self._evaluations[later : later + 1]])

    def __call__(
        self, step: int, state: TrainState, metrics: Mapping[str, np.ndarray]
    ) -> None:
        """Records the steps up to `step`; evaluates and saves where that is due.

        Args:
          metrics: {name: (k, ...)}, of the k steps since the last call.

        Raises:
          NonFiniteError: a single run diverged.
          AllFailed: every one of several did.
          Interrupted: a signal came; everything is saved.
        """
        evaluates = step in self._evaluations
        signalled = self._signalled()
        for number, recorder in list(self._recorders.items()):
            try:
                recorder.record(step, self._split(metrics, number))
                if evaluates or signalled:
                    state_of_run = self._split(state, number)
                    recorder.check(step, state_of_run)
                    if evaluates:
                        recorder.evaluate(step, state_of_run)
                    recorder.save(step, state_of_run, evaluated=evaluates)
            except NonFiniteError as error:
                if self._on_failure is None:
                    raise
                self._on_failure(number, error)
                self._recorders.pop(number).close()
        self._show(step, evaluates)
        if signalled:
            raise Interrupted(signalled)
        if not self._recorders:
            raise AllFailed

    def close(self) -> None:
        """Takes the progress away and writes out the events."""
        if self._progress is not None:
            self._progress.close()
        for recorder in self._recorders.values():
            recorder.close()

    def _signalled(self) -> int | None:
        """The signal that came; of several processes, that of any of them."""
        if jax.process_count() == 1:
            return self._stop.received
        if parallel.any_process(self._stop.received is not None):
            return self._stop.received or signal.SIGTERM
        return None

    def _show(self, step: int, evaluates: bool) -> None:
        """The progress, with means over the runs; a line that stays at evaluations."""
        if self._progress is None or not self._recorders:
            return
        recorders = self._recorders.values()
        latest = _mean([recorder.latest for recorder in recorders])
        self._progress.update(step, latest)
        if evaluates:
            row = _mean([recorder.evaluation for recorder in recorders])
            shown = {rule.name: row[rule.name] for rule in self._rules if rule.name}
            logged = {k: latest[k] for k in self._logged_metrics if k in latest}
            self._progress.line(step, {**(shown or row), **logged})


def _mean(rows) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
