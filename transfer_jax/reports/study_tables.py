"""Tables of a study: means and standard deviations over the rows of its result."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from transfer_jax.reports import averages, grids


class Group(NamedTuple):
    """Rows that are averaged: they differ only in the keys of `over`."""

    keys: dict[str, Any]  # what they share
    rows: list[dict]

    def score(self, value: str) -> averages.Score:
        """Mean and standard deviation of a number over the rows."""
        numbers = [row[value] for row in self.rows]
        std = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None
        return averages.Score(float(np.mean(numbers)), std)


def groups(result: Mapping[str, Any]) -> list[Group]:
    """The groups of a result, in the order in which they appear.

    Args:
      result: content of a result.json of runs.run_study.
    """
    by_keys: dict[tuple, Group] = {}
    for row in result['rows']:
        keys = {
            k: row[k] for k in result['keys'] if k in row and k not in _over(result)
        }
        group = by_keys.setdefault(tuple(keys.items()), Group(keys, []))
        group.rows.append(row)
    return list(by_keys.values())


def grid(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of strings, numbers in % as mean ± standard deviation.

    The values of the key `across` become columns; keys that never change are left out.
    """
    across, values = result['across'], result['values']
    averaged = groups(result)
    names = [n for n in result['keys'] if n not in (*_over(result), across)]
    varied = [n for n in names if len({str(g.keys.get(n)) for g in averaged}) > 1]
    columns: dict[str, None] = {}
    lines: dict[tuple, dict[str, str]] = {}
    for group in averaged:
        at = tuple(str(group.keys.get(n, '')).replace('_', ' ') for n in varied)
        line = lines.setdefault(at, {})
        for value in values:
            if not all(value in row for row in group.rows):
                continue
            column = _column(across, group.keys.get(across), value, values)
            columns[column] = None
            line[column] = averages.shown(group.score(value))
    count = {len(group.rows) for group in averaged}
    head = [*(n.replace('_', ' ') for n in varied), *columns]
    body = [[*at, *(line.get(c, '') for c in columns)] for at, line in lines.items()]
    if len(count) > 1:  # else the legend gives it once
        sizes = {}
        for group in averaged:
            at = tuple(str(group.keys.get(n, '')).replace('_', ' ') for n in varied)
            sizes.setdefault(at, set()).add(len(group.rows))
        head.append('draws')
        for row, at in zip(body, lines, strict=True):
            row.append(' or '.join(map(str, sorted(sizes[at]))))
    return head, body


def words(result: Mapping[str, Any]) -> tuple[str, ...]:
    """Headings of the columns that hold words."""
    texts = {k for row in result['rows'] for k, v in row.items() if isinstance(v, str)}
    return tuple(name.replace('_', ' ') for name in texts)


def legend(result: Mapping[str, Any]) -> str:
    """What the numbers are, in a sentence."""
    names = [value.replace('_', ' ') for value in result['values']]
    named = ' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))
    over = ' and '.join(_over(result))
    counts = sorted({len(group.rows) for group in groups(result)})
    if counts[-1:] == [1]:
        return f'In %: {named}.'
    many = ' or '.join(map(str, counts))
    return f'In %: {named}, mean ± standard deviation over {many} ({over} differs).'


def text(result: Mapping[str, Any]) -> str:
    """The table in columns of plain text, with its legend."""
    lines = grids.text(*grid(result), words(result))
    return '\n'.join([f'{result["task"]}:', '', *lines, '', legend(result)])


def markdown(result: Mapping[str, Any]) -> str:
    """The table in GitHub's markdown, with its legend."""
    lines = grids.markdown(*grid(result), words(result))
    return '\n'.join([f'{result["task"]}:', '', *lines, '', legend(result)])


def _over(result: Mapping[str, Any]) -> Sequence[str]:
    return result['over']


def _column(across: str, at: Any, value: str, values: Sequence[str]) -> str:
    parts = [value.replace('_', ' ')] if len(values) > 1 or not across else []
    if across:
        parts.append(f'{across} {at}' if isinstance(at, int | float) else str(at))
    return ', '.join(parts)
