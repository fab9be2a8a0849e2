"""What a sweep came to: a table by what differs, curves, a heat map of two-way grids.

In the folder of the sweep: report.html with everything in it, table.csv (fractions, a
column for each number), table.tex (booktabs), and figures/.
"""

import csv
import html
import io
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from transfer_jax import runs
from transfer_jax.reports import figures, html_page, tables
from transfer_jax.runs import folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 7  # curves in a figure: as many as there are colours
QUIET = ('seeds',)  # fields that are no arm of a comparison
DRAWS, LEVEL = 9_999, 0.95  # of the bootstrap


class Cell(NamedTuple):
    """Accuracy of one config by one rule over its seeds, as fractions."""

    mean: float
    low: float | None  # mean - std, or the end of an interval; None: one seed
    high: float | None


class Entry(NamedTuple):
    """A finished run."""

    fields: Mapping[str, Any]  # what tells it from the others
    cells: Mapping[str, Cell]  # {rule: ...}
    seeds: int
    curves: Mapping[str, Mapping[int, list[float]]]  # {name: {step: seeds}}
    score: float  # the mean of the fixed validator at the last step; nan: unknown
    result: Mapping[str, Any]


def write(
    members: Sequence[tuple[runs.Experiment | runs.Study, pathlib.Path]],
    place: pathlib.Path,
    failed: Mapping[pathlib.Path, str] | None = None,
    *,
    bootstrap: bool = False,
) -> pathlib.Path | None:
    """Write the report; returns where it is, or None where no training has finished.

    Args:
      failed: {folder of a run: why it has no result}.
      bootstrap: LEVEL intervals of the mean over seeds instead of standard deviations.

    Raises:
      folder.FolderError: it cannot be written.
    """
    entries = read(members, bootstrap)
    if not entries:
        return None
    head, body = cells(entries, bootstrap)
    words = list(entries[0].fields)
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / 'table.csv').write_text(as_csv(entries))
        latex = '\n'.join(tables.latex_grid(head, body, words))
        (place / 'table.tex').write_text(f'{latex}\n')
        title = f'Sweep of {entries[0].result["experiment"]}'
        parts = [f'<h1>{html.escape(title)}</h1>\n']
        if any(entry.result['fast'] for entry in entries):
            parts.append(html_page.SHORT_RUN)
        parts += [
            html_page.table(head, body, words),
            f'<p class="note">{html.escape(legend(entries, bootstrap))}</p>\n',
        ]
        if failed:
            said = ''.join(
                f'<li>{html.escape(f"{key.name}: {why}")}</li>\n'
                for key, why in failed.items()
            )
            parts.append(f'<h2>Failed</h2>\n<ul>\n{said}</ul>\n')
        for name, (text, drawn) in draw(entries).items():
            parts.append(html_page.section(name, text, drawn, place))
        (place / 'report.html').write_text(
            html_page.page(title, parts), encoding='utf-8'
        )
    except OSError as error:
        raise folder.FolderError(f'cannot write {place}: {error.strerror}') from error
    return place / 'report.html'


def read(members, bootstrap: bool) -> list[Entry]:
    """The trainings that have a result."""
    found = []
    for experiment, place in members:
        if isinstance(experiment, runs.Study) or not (place / 'result.json').exists():
            continue
        result = json.loads((place / 'result.json').read_text())
        found.append((result, folder.Rows(place / 'history.jsonl').read()))
    names = varied([result['config'] for result, _ in found])
    return [_entry(result, rows, names, bootstrap) for result, rows in found]


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
    curves: dict[str, dict[int, list[float]]] = {}
    for name in ('source_validation', 'target_test'):
        curves[name] = {}
        for row in rows:
            curves[name].setdefault(row['step'], []).append(row[name])
    last = max((row['step'] for row in rows), default=0)
    scores = [row[result['fixed_validator']] for row in rows if row['step'] == last]
    columns = result['target_accuracy']
    return Entry(
        {name: result['config'][name] for name in names},
        {rule: _cell(columns[rule], bootstrap) for rule in columns},
        len(result['seeds']),
        curves,
        float(np.mean(scores)) if scores else float('nan'),
        result,
    )


def _cell(column: Mapping[str, Any], bootstrap: bool) -> Cell:
    mean, std = column['mean'], column['std']
    if std is None:
        return Cell(mean, None, None)
    if bootstrap:
        return Cell(mean, *interval(column['values']))
    return Cell(mean, mean - std, mean + std)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean, from the same draws each time."""
    from scipy import stats

    if len(set(values)) == 1:
        return values[0], values[0]
    found = stats.bootstrap(
        (np.asarray(values),),
        np.mean,
        n_resamples=DRAWS,
        confidence_level=LEVEL,
        method='percentile',
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def cells(
    entries: Sequence[Entry], bootstrap: bool
) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of strings, accuracies in %."""
    rules = [rule for rule in tables.RULES if rule in entries[0].cells]
    head = [*entries[0].fields, *(tables.RULES[rule] for rule in rules), 'n']
    body = [
        [
            *(_plain(value) for value in entry.fields.values()),
            *(_shown(entry.cells[rule], bootstrap) for rule in rules),
            str(entry.seeds),
        ]
        for entry in entries
    ]
    return head, body


def _plain(value) -> str:
    if value in (None, ''):
        return 'default'
    return f'{value:g}' if isinstance(value, float) else str(value)


def _shown(cell: Cell, bootstrap: bool) -> str:
    if cell.low is not None and bootstrap:
        ends = f'{100 * cell.low:.1f}, {100 * cell.high:.1f}'
        return f'{100 * cell.mean:.1f} [{ends}]'
    std = None if cell.low is None else cell.high - cell.mean
    return tables.percent(tables.Score(cell.mean, std))


def legend(entries: Sequence[Entry], bootstrap: bool) -> str:
    """What the columns are."""
    spread = (
        f'[{100 * LEVEL:.0f} % bootstrap interval of the mean]'
        if bootstrap
        else '± standard deviation'
    )
    rest = tables.legend(tables.rows([entry.result for entry in entries]))[1]
    return (
        f'Accuracy on the target test images in %, mean {spread} over n seeds. {rest} '
        'A config may be chosen by the fixed validator at its last step, never by the '
        'oracle.'
    )


def as_csv(entries: Sequence[Entry]) -> str:
    """A row for each config: its fields, and mean, low, high of each rule."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    rules = list(entries[0].cells)
    head = [f'{rule}_{part}' for rule in rules for part in Cell._fields]
    validator = entries[0].result['fixed_validator']
    writer.writerow([*entries[0].fields, *head, validator, 'seeds'])
    for entry in entries:
        numbers = [number for rule in rules for number in entry.cells[rule]]
        writer.writerow([*entry.fields.values(), *numbers, entry.score, entry.seeds])
    return out.getvalue()


def draw(entries: Sequence[Entry]) -> dict[str, tuple[str, dict[str, 'Figure']]]:
    """{heading: (what it shows, figures)}."""
    drawn = {}
    best = sorted(entries, key=lambda entry: -entry.score)[:SHOWN]
    if any(len(steps) > 1 for entry in best for steps in entry.curves.values()):
        many = (
            f'The {SHOWN} configs of {len(entries)} that the fixed validator puts '
            'first at the last step. '
            if len(entries) > SHOWN
            else ''
        )
        titles = {
            'source_validation': 'Source validation',
            'target_test': 'Target test (oracle)',
        }
        drawn['Learning curves'] = (
            f'{many}Mean over seeds and its standard deviation.',
            {
                name: figures.bands(
                    {_name(entry, best): entry.curves[name] for entry in best},
                    title,
                    'step',
                    spaced=True,
                )
                for name, title in titles.items()
            },
        )
    if len(entries[0].fields) == 2 and len(entries) > 2:
        maps = {
            f'grid_{rule}': _heat_map(entries, rule, tables.RULES[rule])
            for rule in tables.RULES
            if rule in entries[0].cells
        }
        if all(figure is not None for figure in maps.values()):
            drawn['Grid'] = ('Target test accuracy in %, mean over seeds.', maps)
    return drawn


def _name(entry: Entry, among: Sequence[Entry]) -> str:
    """By what tells it from the others."""
    names = varied([other.fields for other in among])
    return ', '.join(f'{k} {_plain(entry.fields[k])}' for k in names) or 'the run'


def _heat_map(entries, rule, title) -> 'Figure | None':
    """Over the values of the two fields; None where cells are empty or taken twice."""
    rows, columns = (
        list(dict.fromkeys(entry.fields[name] for entry in entries))
        for name in entries[0].fields
    )
    if min(len(rows), len(columns)) < 2 or len(rows) * len(columns) != len(entries):
        return None
    values = np.full((len(rows), len(columns)), np.nan)
    for entry in entries:
        row, column = entry.fields.values()
        values[rows.index(row), columns.index(column)] = entry.cells[rule].mean
    names = list(entries[0].fields)
    labels = [_plain(v) for v in rows], [_plain(v) for v in columns]
    return figures.heat_map(values, *labels, *names, title)
