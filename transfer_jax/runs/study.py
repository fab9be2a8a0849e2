"""A study: many small measurements, one row each, that resumes where it stopped.

Probing every layer, a hundred draws of a few-shot task, a table of fine-tunings: the
trials differ in a handful of plain values, and each costs seconds or minutes. A long
training with checkpoints is a runs.Experiment.
"""

import json
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from transfer_jax.runs import folder, provenance
from transfer_jax.runs.hook import Interrupted, stop_signal
from transfer_jax.training import log

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE_EVERY = 5.0  # seconds between lines of progress


class Study(NamedTuple):
    """A study, but for its folder. Building one loads no data."""

    name: str  # 'transfer.probing'
    config: Any  # frozen dataclass of plain values
    task: str  # what the table is about
    trials: tuple[Mapping[str, Any], ...]  # plain values; no two alike
    prepare: Callable[[str | None], Any]  # data folder -> what the trials read
    # (prepared, trial) -> numbers of its row; the same trial gives the same numbers
    measure: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]
    over: tuple[str, ...] = ('seed',)  # keys over which tables average
    across: str = ''  # the key whose values are the columns of the table
    values: tuple[str, ...] = ('accuracy',)  # the fractions that the table shows
    # Drawn from the rows alone, and from what `prepare` returned
    figures: Callable[[Sequence[dict]], Mapping[str, 'Figure']] | None = None
    pictures: Callable[[Any], Mapping[str, 'Figure']] | None = None
    fast: bool = False  # a run of seconds for tests; tables refuse it


def run(
    study: Study, run_dir: pathlib.Path, *, data_dir: str | None = None
) -> tuple[dict, Callable[[], Any]]:
    """Measures the trials that have no row in the folder yet; writes result.json.

    Returns:
      The content of result.json, and a function that returns what `prepare` returned.
      `prepare` is called once at most, and not at all where no trial is left.

    Raises:
      folder.FolderError: the folder cannot be used.
      Interrupted: SIGINT or SIGTERM came; finished rows are kept.
      ValueError: the study has no trials, or two trials are alike.
    """
    keys = [_key(trial) for trial in study.trials]
    if not keys:
        raise ValueError(f'{study.name} has no trials: is seeds 0, or a list empty?')
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'{study.name}: two trials are alike: {twice}')
    cache: list[Any] = []

    def prepared():
        if not cache:
            with log.console.status(f'{study.name}: reading data'):
                cache.append(study.prepare(data_dir))
        return cache[0]

    with folder.claim(run_dir, study.name, study.config), stop_signal() as stop:
        rows = folder.Rows(run_dir / 'history.jsonl')
        done = {_key(row['trial']): row for row in rows.read()}
        missing = [trial for trial in study.trials if _key(trial) not in done]
        progress = log.Progress(study.name, len(keys), len(keys) - len(missing))
        last_line = time.monotonic()
        if missing:
            start = provenance.start(None, prepared())
            folder.Rows(run_dir / 'starts.jsonl').append(start)
        try:
            for i, trial in enumerate(missing, len(keys) - len(missing) + 1):
                numbers = {
                    k: _plain(v) for k, v in study.measure(prepared(), trial).items()
                }
                row = {'trial': dict(trial), 'measured': numbers}
                rows.append(row)
                done[_key(trial)] = row
                shown = {v: numbers[v] for v in study.values if v in numbers}
                progress.update(i, shown)
                if time.monotonic() - last_line > LINE_EVERY or i == len(keys):
                    progress.line(i, shown, ' '.join(map(str, trial.values())))
                    last_line = time.monotonic()
                if stop.received is not None:
                    raise Interrupted(stop.received)
        finally:
            progress.close()
        starts = folder.Rows(run_dir / 'starts.jsonl').read()
        result = summarize(study, [done[key] for key in keys], starts)
        folder.write_json(run_dir / 'result.json', result, lines='rows')
    return result, prepared


def summarize(
    study: Study, rows: Sequence[Mapping[str, Any]], starts: Sequence[dict] = ()
) -> dict:
    """The content of result.json."""
    keys = list(dict.fromkeys(key for trial in study.trials for key in trial))
    return {
        'format': folder.FORMAT,
        'experiment': study.name,
        'task': study.task,
        'fast': study.fast,
        'config': folder.plain(study.config),
        'starts': list(starts),
        'keys': keys,
        'over': list(study.over),
        'across': study.across,
        'values': list(study.values),
        'rows': [{**row['trial'], **row['measured']} for row in rows],
    }


def _key(trial: Mapping[str, Any]) -> str:
    return json.dumps(dict(trial), sort_keys=True)


def _plain(value: Any) -> Any:
    """A number of NumPy or JAX as Python's own."""
    return value.item() if hasattr(value, 'item') else value
