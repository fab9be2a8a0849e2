"""The finished runs of a sweep, and the numbers that tell them apart."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from transfer_jax import runs
from transfer_jax.runs import folder

QUIET = ('seeds',)  # fields that do not tell configs apart
DRAWS, LEVEL = 9_999, 0.95  # of the bootstrap


class Interval(NamedTuple):
    """A number of one config by one rule over its seeds; accuracies as fractions."""

    mean: float
    low: float | None  # mean - std, or the end of an interval; None: one seed
    high: float | None


class Entry(NamedTuple):
    """A finished run."""

    fields: Mapping[str, Any]  # the varied ones
    scores: Mapping[str, Interval]  # {rule: ...}
    seeds: int
    curves: Mapping[str, Mapping[int, list[float]]]  # {name: {step: seeds}}
    score: float  # the mean of the fixed validator at the last step; nan: unknown
    result: Mapping[str, Any]


def read(
    members: Sequence[tuple[runs.Experiment | runs.Study, pathlib.Path]],
    bootstrap: bool,
) -> list[Entry]:
    """The trainings that have a result."""
    finished = []
    for experiment, run_dir in members:
        path = run_dir / 'result.json'
        if isinstance(experiment, runs.Study) or not path.exists():
            continue
        result = json.loads(path.read_text())
        finished.append((result, folder.Rows(run_dir / 'history.jsonl').read()))
    names = varied([result['config'] for result, _ in finished])
    return [_entry(result, rows, names, bootstrap) for result, rows in finished]


def varied(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields that differ; of one config, none."""
    first = configs[0] if configs else {}
    return [
        name
        for name in first
        if name not in QUIET and any(c[name] != first[name] for c in configs)
    ]


def _entry(result, rows, names, bootstrap) -> Entry:
    rows = [row for row in rows if row['stage'] == rows[-1]['stage']]  # the last one
    name = in_table(result)
    curves: dict[str, dict[int, list[float]]] = {}
    for described in result['numbers']:
        curves[described] = {}
        for row in rows:
            number = row.get(described, float('nan'))
            curves[described].setdefault(row['step'], []).append(number)
    last = max((row['step'] for row in rows), default=0)
    fixed = result['rules'].get('fixed_validator')
    scores = [
        row.get(fixed['name'], float('nan'))
        for row in rows
        if fixed and row['step'] == last
    ]
    return Entry(
        {name: result['config'][name] for name in names},
        {
            rule: _interval(column[name], bootstrap)
            for rule, column in result['scores'].items()
        },
        len(result['seeds']),
        curves,
        float(np.mean(scores)) if scores else float('nan'),
        result,
    )


def _interval(column: Mapping[str, Any], bootstrap: bool) -> Interval:
    mean, std = column['mean'], column['std']
    if std is None:
        return Interval(mean, None, None)
    if bootstrap:
        return Interval(mean, *interval(column['values']))
    return Interval(mean, mean - std, mean + std)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean, from the same draws each time."""
    from scipy import stats

    if len(set(values)) == 1:
        return values[0], values[0]
    ends = stats.bootstrap(
        (np.asarray(values),),
        np.mean,
        n_resamples=DRAWS,
        confidence_level=LEVEL,
        method='percentile',
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(ends.low), float(ends.high)


def plain(value: Any) -> str:
    """The value of a field as it is shown."""
    if value in (None, ''):
        return 'default'
    return f'{value:g}' if isinstance(value, float) else str(value)


def in_table(result: Mapping[str, Any]) -> str:
    """The name of the number that the table shows."""
    return next(n for n, number in result['numbers'].items() if number['in_tables'])


def number(entry: Entry) -> Mapping[str, Any]:
    """The description of the number in the table."""
    return entry.result['numbers'][in_table(entry.result)]


def unit(entry: Entry) -> str:
    """Of the number in the table: ' in %' or nothing."""
    return ' in %' if number(entry)['percent'] else ''
