"""The report of a sweep: a table by varied fields, curves, heat maps of two-way grids.

In the folder of the sweep: report.html with everything in it, table.csv (fractions, a
column for each number), table.tex (booktabs), and figures/.
"""

import csv
import html
import io
import pathlib
from collections.abc import Mapping, Sequence

from transfer_jax import runs
from transfer_jax.reports import (
    averages,
    grids,
    html_page,
    sweep_entries,
    sweep_figures,
    tables,
)
from transfer_jax.reports.sweep_entries import Entry, Interval
from transfer_jax.runs import folder


def write(
    members: Sequence[tuple[runs.Experiment | runs.Study, pathlib.Path]],
    sweep_dir: pathlib.Path,
    failed: Mapping[pathlib.Path, str] | None = None,
    *,
    bootstrap: bool = False,
) -> pathlib.Path | None:
    """Writes the report; returns its path, or None where no training has finished.

    Args:
      failed: {run folder: why it has no result}.
      bootstrap: 95 % intervals of the mean over seeds instead of standard deviations.

    Raises:
      folder.FolderError: it cannot be written.
    """
    entries = sweep_entries.read(members, bootstrap)
    if not entries:
        return None
    head, body = cells(entries, bootstrap)
    words = list(entries[0].fields)
    try:
        sweep_dir.mkdir(parents=True, exist_ok=True)
        (sweep_dir / 'table.csv').write_text(as_csv(entries))
        latex = '\n'.join(grids.latex(head, body, words))
        (sweep_dir / 'table.tex').write_text(f'{latex}\n')
        title = f'Sweep of {entries[0].result["experiment"]}'
        parts = [f'<h1>{html.escape(title)}</h1>\n']
        if any(entry.result['fast'] for entry in entries):
            parts.append(html_page.SHORT_RUN)
        parts += [
            html_page.table(head, body, words),
            f'<p class="note">{html.escape(legend(entries, bootstrap))}</p>\n',
        ]
        if failed:
            items = ''.join(
                f'<li>{html.escape(f"{path.name}: {reason}")}</li>\n'
                for path, reason in failed.items()
            )
            parts.append(f'<h2>Failed</h2>\n<ul>\n{items}</ul>\n')
        for name, (text, drawn) in sweep_figures.draw(entries).items():
            parts.append(html_page.section(name, text, drawn, sweep_dir))
        path = sweep_dir / 'report.html'
        path.write_text(html_page.page(title, parts), encoding='utf-8')
    except OSError as error:
        raise folder.FolderError(
            f'cannot write {sweep_dir}: {error.strerror}'
        ) from error
    return path


def cells(
    entries: Sequence[Entry], bootstrap: bool
) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of strings, accuracies in %."""
    rules = list(entries[0].scores)
    head = [*entries[0].fields, *map(tables.title, rules), 'n']
    body = [
        [
            *(sweep_entries.plain(value) for value in entry.fields.values()),
            *(_shown(entry, rule, bootstrap) for rule in rules),
            str(entry.seeds),
        ]
        for entry in entries
    ]
    return head, body


def _shown(entry: Entry, rule: str, bootstrap: bool) -> str:
    mean, low, high = entry.scores[rule]
    percent = sweep_entries.number(entry)['percent']
    if low is not None and bootstrap:
        factor, digits = (100, 1) if percent else (1, 2)
        ends = f'{factor * low:.{digits}f}, {factor * high:.{digits}f}'
        return f'{factor * mean:.{digits}f} [{ends}]'
    std = None if low is None else high - mean
    return averages.shown(averages.Score(mean, std, percent))


def legend(entries: Sequence[Entry], bootstrap: bool) -> str:
    """What the columns are."""
    deviation = (
        f'[{100 * sweep_entries.LEVEL:.0f} % bootstrap interval of the mean]'
        if bootstrap
        else '± standard deviation'
    )
    first = entries[0]
    title = sweep_entries.number(first)['title']
    rest = tables.legend(tables.rows([entry.result for entry in entries]))[1]
    choice = (
        ' A config may be chosen by the fixed validator at its last step, never by the '
        'oracle.'
    )
    return (
        f'{title.capitalize()}{sweep_entries.unit(first)}, mean {deviation} over '
        f'n seeds. {rest}{choice if "fixed_validator" in first.scores else ""}'
    )


def as_csv(entries: Sequence[Entry]) -> str:
    """A row for each config: its fields, and mean, low, high of each rule."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    rules = list(entries[0].scores)
    head = [f'{rule}_{part}' for rule in rules for part in Interval._fields]
    fixed = entries[0].result['rules'].get('fixed_validator', {'name': 'validator'})
    writer.writerow([*entries[0].fields, *head, fixed['name'], 'seeds'])
    for entry in entries:
        numbers = [number for rule in rules for number in entry.scores[rule]]
        writer.writerow([*entry.fields.values(), *numbers, entry.score, entry.seeds])
    return out.getvalue()
