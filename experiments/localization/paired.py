"""Paired comparison of methods that share folds or seeds."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from transfer_jax.reports import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def differences(
    rows: Sequence[Mapping[str, Any]], method: str, over: str, value: str, against: str
) -> dict[str, np.ndarray]:
    """{method: its values minus those of `against` in the same fold, (k,)}.

    Args:
      method, over: see Pairs.
    """
    by_method: dict[str, dict[Any, float]] = {}
    for row in rows:
        if value in row:
            by_method.setdefault(row[method], {})[row[over]] = row[value]
    base = by_method.get(against, {})
    return {
        name: np.array([values[f] - base[f] for f in values if f in base])
        for name, values in by_method.items()
        if name != against and set(values) & set(base)
    }


class Pairs(NamedTuple):
    """The paired comparison of an experiment."""

    method: str  # the key of the compared methods
    over: str  # the key of the folds or seeds that they share
    against: str  # the method that is subtracted
    values: tuple[str, ...]


def table(
    rows: Sequence[Mapping[str, Any]], pairs: Pairs
) -> tuple[list[str], list[list[str]]]:
    """(headings, rows): mean and deviation of differences, and number above 0."""
    head = [pairs.method.replace('_', ' ')]
    lines: dict[str, list[str]] = {}
    for value in pairs.values:
        head += [value.replace('_', ' '), 'above']
        by_method = differences(rows, pairs.method, pairs.over, value, pairs.against)
        for name, each in by_method.items():
            std = f' ± {100 * np.std(each, ddof=1):.1f}' if len(each) > 1 else ''
            entries = [
                f'{100 * np.mean(each):+.1f}{std}',
                f'{np.sum(each > 0)}/{len(each)}',
            ]
            lines.setdefault(name, [name.replace('_', ' ')]).extend(entries)
    return head, [line for line in lines.values() if len(line) == len(head)]


def draw(
    rows: Sequence[Mapping[str, Any]],
    method: str,
    over: str,
    values: Mapping[str, str],
) -> dict[str, 'Figure']:
    """A line over the methods for each fold; mean and deviation of each method.

    Args:
      method, over: see Pairs.
      values: {value: title}.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row[method] for row in rows))
    figure = Figure(figsize=(3.6 * len(values) + 0.4, 3.4), layout='constrained')
    for axes, (value, title) in zip(
        figure.subplots(1, len(values), squeeze=False)[0], values.items(), strict=True
    ):
        percent = {(row[method], row[over]): 100 * row[value] for row in rows}
        folds = dict.fromkeys(row[over] for row in rows)
        grid = np.array([[percent.get((n, f), np.nan) for n in names] for f in folds])
        for line in grid:
            axes.plot(line, color='0.75', lw=0.8, marker='.', markersize=4, zorder=1)
        std = np.nanstd(grid, 0, ddof=1) if len(grid) > 1 else np.zeros(len(names))
        axes.errorbar(
            range(len(names)),
            np.nanmean(grid, 0),
            std,
            fmt='o',
            color=figures.COLOURS[0],
            capsize=3,
            zorder=2,
        )
        axes.set_xticks(range(len(names)), names, rotation=45, ha='right', fontsize=8)
        axes.set_ylabel('%')
        axes.set_title(title, fontsize=10)
        axes.grid(axis='y', color='0.9')
    figure.suptitle(
        f'Grey: each {over}. Blue: mean and standard deviation over {over}s',
        fontsize=9,
    )
    return {'paired': figure}
