"""The hook of a run: when to record, evaluate and save, and when to stop.

One hook serves a run by itself and several runs in one program (runs.vectorised).
"""

import bisect
import contextlib
import functools
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.runs.folder import FolderError
from transfer_jax.runs.recorder import NonFiniteError, Recorder, StageRun
from transfer_jax.training import TrainState, log, parallel

LOG_EVERY = 20  # steps between rows of metrics
PATIENCE = 2.0  # seconds between two fetches at most, where steps are that fast


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
    """Notes SIGINT and SIGTERM while the block runs; the second does not wait."""
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


class _Pending(NamedTuple):
    """An evaluation that was begun."""

    step: int
    evaluates: bool  # or saves only
    waiting: dict[int, Callable[[], None]]  # {number of a run: ends its part}
    latest: dict[str, float]  # metrics of the step


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
        chunk: int = 1,
        background: bool = False,
    ):
        """A hook of `fit`.

        Args:
          runs: {number: run}, of the same stage and the same steps done.
          title: for the line of progress.
          split: (state or metrics (steps, runs), number) -> those of that run. None for
            a single run.
          on_failure: called for a run that diverged; the others continue. None raises.
          quiet: no progress, as in every process but the first.
          chunk: steps in a dispatch. A row is written every LOG_EVERY steps, but where
            a chunk takes less than PATIENCE, rows are fetched once a chunk.
          background: evaluates and saves in a thread, from a copy of the state, while
            training goes on. The next evaluation waits for it, so the order of scores,
            row and checkpoint stays; the last is waited for.
        """
        self._thread = futures.ThreadPoolExecutor(1) if background else None
        self._pending: _Pending | None = None
        self._began, self._waited = time.monotonic(), 0.0
        self._chunk, self._every = chunk, LOG_EVERY
        self._fetched = time.monotonic()
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
        """The first step after `step` that is fetched."""
        if self._stop.received is not None and jax.process_count() == 1:
            return step + 1
        logged = (step // self._every + 1) * self._every
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
        evaluates, signalled = step in self._evaluations, self._signalled()
        taken = len(next(iter(metrics.values()), ()))
        now = time.monotonic()
        a_chunk = (now - self._fetched) / max(taken, 1) * self._chunk
        self._every = max(LOG_EVERY, self._chunk) if a_chunk < PATIENCE else LOG_EVERY
        rows = [s for s in range(step - taken + 1, step) if s % LOG_EVERY == 0] + [step]
        self._each(lambda n, one: one.record(step, self._split(metrics, n), rows))
        self._update(step)
        if evaluates or signalled:
            self._wait()
        if (evaluates or signalled) and self._recorders:
            self._begin(step, state, evaluates)
            if signalled or step == self._steps or self._thread is None:
                self._wait()
        if signalled:
            raise Interrupted(signalled)
        if not self._recorders:
            raise AllFailed
        self._fetched = time.monotonic()

    def close(self) -> None:
        """Ends what is under way, takes the progress away, writes out the events."""
        if self._thread is not None:
            self._end_thread()
        if self._progress is not None:
            self._progress.close()
        runs = len(self._recorders)
        seconds = (time.monotonic() - self._began) / max(runs, 1)
        for recorder in self._recorders.values():
            with contextlib.suppress(FolderError):  # as of a full disk, told before
                recorder.note_cost(seconds, self._waited / runs)
            recorder.close()

    def _end_thread(self) -> None:
        """Waits for what is under way. If it fails beside another error, says so."""
        error = sys.exc_info()[1]
        at_once = isinstance(error, KeyboardInterrupt)
        self._thread.shutdown(cancel_futures=at_once)
        if self._pending is None or at_once:
            return
        for finish in self._pending.waiting.values():
            try:
                finish()
            except Exception as other:
                if error is None:
                    raise
                log.console.print(
                    f'the evaluation of step {self._pending.step} failed too: {other}',
                    soft_wrap=True,
                    markup=False,
                )

    def _begin(self, step: int, state: TrainState, evaluates: bool) -> None:
        """Starts to evaluate and save every run; `_wait` ends it."""
        states = {number: self._split(state, number) for number in self._recorders}
        if self._thread is not None:  # training goes on, in the buffers of `state`
            states = jax.tree.map(jnp.copy, states)
        waiting = {}
        for number, recorder in self._recorders.items():
            waiting[number] = functools.partial(
                recorder.keep, step, states[number], evaluated=evaluates
            )
            if self._thread is not None:
                waiting[number] = self._thread.submit(waiting[number]).result
        latest = self._latest()
        self._pending = _Pending(step, evaluates, waiting, latest)

    def _wait(self) -> None:
        """Until the evaluation that was begun is over, and its rows are written."""
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        begun = time.monotonic()
        self._each(lambda number, _: pending.waiting[number]())
        self._waited += time.monotonic() - begun
        if pending.evaluates:
            self._each(lambda _, recorder: recorder.show_evaluation(pending.step))
            self._show(pending)

    def _each(self, act: Callable[[int, Recorder], Any]) -> None:
        """act(number, recorder) of every run; takes leave of those that diverged."""
        for number, recorder in list(self._recorders.items()):
            try:
                act(number, recorder)
            except NonFiniteError as error:
                if self._on_failure is None:
                    raise
                self._on_failure(number, error)
                self._recorders.pop(number).close()

    def _signalled(self) -> int | None:
        """The signal that came; of several processes, that of any of them."""
        if jax.process_count() == 1:
            return self._stop.received
        if parallel.any_process(self._stop.received is not None):
            return self._stop.received or signal.SIGTERM
        return None

    def _latest(self) -> dict[str, float]:
        return _mean([recorder.latest for recorder in self._recorders.values()])

    def _update(self, step: int) -> None:
        """The progress, with means over the runs."""
        if self._progress is not None and self._recorders:
            self._progress.update(step, self._latest())

    def _show(self, pending: _Pending) -> None:
        """A line that stays, with the numbers of an evaluation."""
        if self._progress is None or not self._recorders:
            return
        row = _mean([recorder.evaluation for recorder in self._recorders.values()])
        shown = {rule.name: row[rule.name] for rule in self._rules if rule.name}
        latest = pending.latest
        logged = {k: latest[k] for k in self._logged_metrics if k in latest}
        self._progress.line(pending.step, {**(shown or row), **logged})


def _mean(rows) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
