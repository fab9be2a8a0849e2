"""Rows of the table of benchmarks.device: what was measured, and its goal."""

from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str  # with its unit
    goal: str = ''
    met: bool | None = None  # None where there is no goal


def at_most(
    what: str, value: float, goal: float, unit: str = '', note: str = ''
) -> Row:
    """The row of a number that should not be above its goal."""
    return Row(what, shown(value, unit, note), f'<= {goal:g}{unit}', value <= goal)


def at_least(
    what: str, value: float, goal: float, unit: str = '', note: str = ''
) -> Row:
    """The row of a number that should not be below its goal."""
    return Row(what, shown(value, unit, note), f'>= {goal:g}{unit}', value >= goal)


def below(what: str, share: float, goal: float) -> Row:
    """The row of a share (0.05 is 5 %) that should be below its goal."""
    return Row(what, f'{share:+.1%}', f'< {goal:.0%}', share < goal)


def shown(value: float, unit: str = '', note: str = '') -> str:
    """A number with three digits, its unit, and a note in brackets."""
    digits = f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'
    return f'{digits}{unit}' + f' ({note})' * bool(note)
