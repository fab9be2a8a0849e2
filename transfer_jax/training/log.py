"""Console progress and TensorBoard events of a run."""

import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import rich.console
import rich.progress

console = rich.console.Console(stderr=True, highlight=False)


class Progress:
    """A bar with the newest metrics and the time left; no bar without a terminal."""

    def __init__(self, title: str, total: int, done: int = 0):
        self._title, self._total = title, total
        self._began, self._first = time.monotonic(), done
        self._bar = None
        if console.is_terminal:
            self._bar = rich.progress.Progress(
                rich.progress.TextColumn('{task.description}'),
                rich.progress.BarColumn(bar_width=20),
                rich.progress.MofNCompleteColumn(),
                rich.progress.TimeRemainingColumn(compact=True),
                rich.progress.TextColumn('{task.fields[metrics]}'),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task(
                title, total=total, completed=done, metrics=''
            )
            self._bar.start()

    def update(self, step: int, values: Mapping[str, float]) -> None:
        """Show the metrics of a step."""
        if self._bar is not None:
            text = '  '.join(f'{_short(k)} {v:.3f}' for k, v in values.items())
            self._bar.update(self._task, completed=step, metrics=text)

    def line(self, step: int, values: Mapping[str, float], what: str = '') -> None:
        """Print a permanent line, for an evaluation or the end of `what`."""
        elapsed = time.monotonic() - self._began
        left = elapsed / max(step - self._first, 1) * (self._total - step)
        text = '  '.join(f'{_short(k)} {_number(v)}' for k, v in values.items())
        console.print(
            f'{self._title}  {what or "step"} {step}/{self._total}  {text}  '
            f'left {left:.0f} s',
            soft_wrap=True,
        )

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()


def _number(value: float) -> str:
    return 'none' if np.isnan(value) else f'{value:.3f}'


class Events:
    """TensorBoard scalars; hides an earlier run's scalars from step `purge` on."""

    def __init__(self, folder: pathlib.Path, purge: int):
        import tensorboardX

        self._writer = tensorboardX.SummaryWriter(str(folder), purge_step=purge)

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Write the scalars of one step, without those that are NaN."""
        for name, value in values.items():
            if not np.isnan(value):
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write the buffer and close the file."""
        self._writer.close()


def _short(name: str) -> str:
    """'train/domain_accuracy' as 'domain accuracy'."""
    return name.rpartition('/')[2].replace('_', ' ')
