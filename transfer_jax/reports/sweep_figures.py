"""The figures of a sweep: learning curves, and heat maps of two-way grids."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from transfer_jax.reports import figures, sweep_entries, tables
from transfer_jax.reports.sweep_entries import Entry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 7  # curves in a figure: as many as there are colours


def draw(entries: Sequence[Entry]) -> dict[str, tuple[str, dict[str, 'Figure']]]:
    """{heading: (what it shows, figures)}."""
    drawn = {}
    best = sorted(entries, key=lambda entry: -entry.score)[:SHOWN]
    if any(len(steps) > 1 for entry in best for steps in entry.curves.values()):
        many = (
            f'The {SHOWN} configs of {len(entries)} that the fixed validator ranks '
            'first at the last step. '
            if len(entries) > SHOWN
            else ''
        )
        drawn['Learning curves'] = (
            f'{many}Mean over seeds and its standard deviation.',
            {
                name: figures.bands(
                    {_name(entry, best): entry.curves[name] for entry in best},
                    _title(name, entries[0]),
                    'step',
                    spaced=True,
                    percent=_described(name, entries[0])['percent'],
                )
                for name in entries[0].curves
            },
        )
    if len(entries[0].fields) == 2 and len(entries) > 2:
        maps = {
            f'grid_{rule}': _heat_map(entries, rule, tables.title(rule))
            for rule in entries[0].scores
        }
        if all(figure is not None for figure in maps.values()):
            title = sweep_entries.number(entries[0])['title'].capitalize()
            drawn['Grid'] = (
                f'{title}{sweep_entries.unit(entries[0])}, mean over seeds.',
                maps,
            )
    return drawn


def _title(name: str, entry: Entry) -> str:
    """Of a curve; one that is made from target labels says so."""
    title = _described(name, entry)['title']
    rules = entry.result['rules'].values()
    oracle = any(rule['oracle'] and rule['name'] == name for rule in rules)
    return f'{title.capitalize()}{" (oracle)" if oracle else ""}'


def _described(name: str, entry: Entry) -> Mapping[str, Any]:
    return entry.result['numbers'][name]


def _name(entry: Entry, among: Sequence[Entry]) -> str:
    """The fields that differ, with their values."""
    names = sweep_entries.varied([other.fields for other in among])
    return (
        ', '.join(f'{k} {sweep_entries.plain(entry.fields[k])}' for k in names)
        or 'the run'
    )


def _heat_map(entries, rule, title) -> 'Figure | None':
    """Over the values of the two fields; None where entries are missing or doubled."""
    rows, columns = (
        list(dict.fromkeys(entry.fields[name] for entry in entries))
        for name in entries[0].fields
    )
    if min(len(rows), len(columns)) < 2 or len(rows) * len(columns) != len(entries):
        return None
    values = np.full((len(rows), len(columns)), np.nan)
    for entry in entries:
        row, column = entry.fields.values()
        values[rows.index(row), columns.index(column)] = entry.scores[rule].mean
    names = list(entries[0].fields)
    labels = (
        [sweep_entries.plain(v) for v in rows],
        [sweep_entries.plain(v) for v in columns],
    )
    percent = sweep_entries.number(entries[0])['percent']
    return figures.heat_map(values, *labels, *names, title, percent=percent)
