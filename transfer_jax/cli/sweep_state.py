"""Which runs of a sweep are finished, and their tables."""

import json
import pathlib
from collections.abc import Iterable, Sequence

from transfer_jax import runs
from transfer_jax.reports import run_report, study_tables
from transfer_jax.runs import folder, vectorised

Work = runs.Experiment | runs.Study


def listed(plan: Sequence[Sequence[vectorised.Run]]) -> str:
    """A line for each run."""
    lines = []
    for number, group in enumerate(plan, 1):
        for experiment, run_dir in group:
            state = 'finished' if finished(experiment, run_dir) else 'to run'
            method = getattr(experiment, 'method', '')
            lines.append(
                f'{state:<9} group {number:<4} {method:<16} {experiment.task:<32} '
                f'{run_dir}'
            )
    return '\n'.join(lines)


def finished(experiment: Work, run_dir: pathlib.Path) -> bool:
    """Whether the folder holds the result of this config."""
    result = _result(run_dir)
    fields = folder.plain(experiment.config)
    return result is not None and result['config'] == fields


def summary(run_dirs: Iterable[pathlib.Path]) -> str:
    """The tables of the finished runs, one for each task."""
    tasks: dict[str, list[dict]] = {}
    studies = []
    for result in filter(None, map(_result, run_dirs)):
        if 'rows' in result:
            studies.append(study_tables.text(result))
        else:
            tasks.setdefault(result['task'], []).append(result)
    return '\n\n'.join([*map(run_report.text_table, tasks.values()), *studies])


def _result(run_dir: pathlib.Path) -> dict | None:
    """The result of a finished run. One of another format is made anew by the run."""
    path = run_dir / 'result.json'
    if not path.exists():
        return None
    result = json.loads(path.read_text())
    return result if result.get('format') == folder.FORMAT else None
