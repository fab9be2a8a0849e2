"""Arms that share folds or seeds, compared pair by pair."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from transfer_jax.reports import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def differences(
    rows: Sequence[Mapping[str, Any]], arm: str, over: str, value: str, against: str
) -> dict[str, np.ndarray]:
    """{arm: its values minus those of `against` in the same fold (k,)}."""
    table: dict[str, dict[Any, float]] = {}
    for row in rows:
        if value in row:
            table.setdefault(row[arm], {})[row[over]] = row[value]
    base = table.get(against, {})
    return {
        name: np.array([own[f] - base[f] for f in own if f in base])
        for name, own in table.items()
        if name != against and set(own) & set(base)
    }


class Pairs(NamedTuple):
    """What a page compares pair by pair."""

    arm: str  # the key whose values are compared
    over: str  # the key of the folds or seeds that they share
    against: str  # the arm that is taken off
    values: tuple[str, ...]


def table(
    rows: Sequence[Mapping[str, Any]], pairs: Pairs
) -> tuple[list[str], list[list[str]]]:
    """(headings, rows): mean and deviation of differences, and how many are above 0."""
    head = [pairs.arm.replace('_', ' ')]
    lines: dict[str, list[str]] = {}
    for value in pairs.values:
        head += [value.replace('_', ' '), 'above']
        found = differences(rows, pairs.arm, pairs.over, value, pairs.against)
        for name, each in found.items():
            spread = f' ± {100 * np.std(each, ddof=1):.1f}' if len(each) > 1 else ''
            told = [
                f'{100 * np.mean(each):+.1f}{spread}',
                f'{np.sum(each > 0)}/{len(each)}',
            ]
            lines.setdefault(name, [name.replace('_', ' ')]).extend(told)
    return head, [line for line in lines.values() if len(line) == len(head)]


def draw(
    rows: Sequence[Mapping[str, Any]],
    arm: str,
    over: str,
    values: Mapping[str, str],
) -> dict[str, 'Figure']:
    """Each fold as a line over the arms, and the mean and deviation of each arm.

    Args:
      values: {value: title}.
    """
    from matplotlib.figure import Figure

    arms = list(dict.fromkeys(row[arm] for row in rows))
    figure = Figure(figsize=(3.6 * len(values) + 0.4, 3.4), layout='constrained')
    for axes, (value, title) in zip(
        figure.subplots(1, len(values), squeeze=False)[0], values.items(), strict=True
    ):
        table = {(row[arm], row[over]): 100 * row[value] for row in rows}
        folds = dict.fromkeys(row[over] for row in rows)
        grid = np.array([[table.get((a, f), np.nan) for a in arms] for f in folds])
        for line in grid:
            axes.plot(line, color='0.75', lw=0.8, marker='.', markersize=4, zorder=1)
        spread = np.nanstd(grid, 0, ddof=1) if len(grid) > 1 else np.zeros(len(arms))
        axes.errorbar(
            range(len(arms)),
            np.nanmean(grid, 0),
            spread,
            fmt='o',
            color=figures.COLOURS[0],
            capsize=3,
            zorder=2,
        )
        axes.set_xticks(range(len(arms)), arms, rotation=45, ha='right', fontsize=8)
        axes.set_ylabel('%')
        axes.set_title(title, fontsize=10)
        axes.grid(axis='y', color='0.9')
    figure.suptitle(
        f'Grey: each {over}. Blue: mean and standard deviation over {over}s',
        fontsize=9,
    )
    return {'paired': figure}
