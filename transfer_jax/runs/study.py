"""A study: many small measurements, one row each, that resumes where it stopped.

Probing every layer, a hundred draws of a few-shot task, every cell of a comparison of
fine-tunings: what differs from cell to cell is a handful of plain values, and a cell
costs seconds or minutes. A long training with checkpoints is a running.Experiment.
"""

import dataclasses
import json
import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from transfer_jax.runs import folder, hook
from transfer_jax.training import log

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAY_EVERY = 5.0  # seconds between lines of progress


class Study(NamedTuple):
    """All of a study but its folder. Building one loads no data."""

    name: str  # 'transfer.probing'
    config: Any  # frozen dataclass of plain values
    task: str  # what the table stands under
    cells: tuple[Mapping[str, Any], ...]  # plain values; no two alike
    prepare: Callable[[str | None], Any]  # data folder -> what the cells read
    # (prepared, cell) -> numbers of its row; the same cell gives the same numbers
    measure: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]
    over: tuple[str, ...] = ('seed',)  # keys over which tables average
    across: str = ''  # the key whose values are the columns of the table
    values: tuple[str, ...] = ('accuracy',)  # the fractions that the table shows
    # Drawn from the rows alone, and from what `prepare` gave
    figures: Callable[[Sequence[dict]], Mapping[str, 'Figure']] | None = None
    pictures: Callable[[Any], Mapping[str, 'Figure']] | None = None
    fast: bool = False  # a test's run; tables refuse it


def run(
    study: Study, place: pathlib.Path, *, data_dir: str | None = None
) -> tuple[dict, Callable[[], Any]]:
    """Measure the cells that the folder has no row of; write result.json.

    Returns:
      What result.json holds, and a function that gives what `prepare` gave, which is
      called no more than once, and not at all where nothing is left to do.

    Raises:
      folder.FolderError: the folder cannot be used.
      watching.Interrupted: SIGINT or SIGTERM came; finished rows are kept.
      ValueError: two cells are alike.
    """
    keys = [_key(cell) for cell in study.cells]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'{study.name}: two cells are alike: {twice}')
    kept: list[Any] = []

    def prepared():
        if not kept:
            with log.console.status(f'{study.name}: reading data'):
                kept.append(study.prepare(data_dir))
        return kept[0]

    with (
        folder.claim(place, study.name, study.config),
        hook.signals() as asked,
    ):
        rows = folder.Rows(place / 'history.jsonl')
        done = {_key(row['cell']): row for row in rows.read()}
        missing = [cell for cell in study.cells if _key(cell) not in done]
        progress = log.Progress(study.name, len(keys), len(keys) - len(missing))
        said = time.monotonic()
        try:
            for i, cell in enumerate(missing, len(keys) - len(missing) + 1):
                measured = {
                    k: _plain(v) for k, v in study.measure(prepared(), cell).items()
                }
                row = {'cell': dict(cell), 'measured': measured}
                rows.append(row)
                done[_key(cell)] = row
                shown = {v: measured[v] for v in study.values if v in measured}
                progress.update(i, shown)
                if time.monotonic() - said > SAY_EVERY or i == len(keys):
                    progress.line(i, shown, ' '.join(map(str, cell.values())))
                    said = time.monotonic()
                if asked:
                    raise hook.Interrupted(asked[0])
        finally:
            progress.close()
        result = summarize(study, [done[key] for key in keys])
        folder.write_json(place / 'result.json', result, lines='rows')
    return result, prepared


def summarize(study: Study, rows: Sequence[Mapping[str, Any]]) -> dict:
    """The content of result.json."""
    keys = list(dict.fromkeys(key for cell in study.cells for key in cell))
    return {
        'experiment': study.name,
        'task': study.task,
        'fast': study.fast,
        'config': json.loads(json.dumps(dataclasses.asdict(study.config))),
        **folder.provenance(),
        'device': f'{os.cpu_count()} cores'
        if jax.default_backend() == 'cpu'
        else jax.devices()[0].device_kind,
        'keys': keys,
        'over': list(study.over),
        'across': study.across,
        'values': list(study.values),
        'rows': [{**row['cell'], **row['measured']} for row in rows],
    }


def _key(cell: Mapping[str, Any]) -> str:
    return json.dumps(dict(cell), sort_keys=True)


def _plain(value: Any) -> Any:
    """A number of NumPy or JAX as Python's own."""
    return value.item() if hasattr(value, 'item') else value
