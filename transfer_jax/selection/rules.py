"""Selection rules: which row of a history each one picks."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from transfer_jax.selection import validators


class Rule(NamedTuple):
    """Picks the row of a history that is best by one of its numbers."""

    name: str | None  # the number; None picks the last row
    best: Literal['max', 'min'] = 'max'
    oracle: bool = False  # the number is made from target labels


LAST = Rule(None)
# {column of a table: rule}
RULES: Mapping[str, Rule] = {
    'last': LAST,
    'source_validation': Rule('source_validation'),
    'fixed_validator': Rule(validators.FIXED),
    'oracle': Rule('target_test', oracle=True),
}
WITHOUT_TARGET_LABELS: Mapping[str, Rule] = {
    column: rule for column, rule in RULES.items() if not rule.oracle
}


def choose(history: Sequence[dict], rule: Rule) -> dict:
    """The row that a rule picks. Ties go to the later row; NaN never wins.

    A row without the number, of a run that an earlier version began, counts as NaN. If
    the number is NaN in every row, the last row is picked.

    Raises:
      ValueError: an empty history.
    """
    if not history:
        raise ValueError('the history has no rows to choose from')
    if rule.name is None:
        return history[-1]
    sign = 1 if rule.best == 'max' else -1

    def rank(indexed):
        index, row = indexed
        value = sign * row.get(rule.name, np.nan)
        return (-np.inf if np.isnan(value) else value, index)

    return max(enumerate(history), key=rank)[1]


def defined(history: Sequence[dict], rule: Rule) -> bool:
    """Whether every row has the number of a rule, and none of them is NaN.

    A choice among the other rows would favour what the number is missing for: the
    calibrated validator has none where every source prediction is correct, which
    happens late in training.
    """
    return rule.name is None or not any(
        np.isnan(row.get(rule.name, np.nan)) for row in history
    )


def best(history: Sequence[dict], name: str) -> dict:
    """The row with the highest value of a number.

    Raises:
      ValueError: an empty history.
    """
    return choose(history, Rule(name))
