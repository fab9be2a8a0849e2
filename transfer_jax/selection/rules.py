"""Which row of a history a rule picks."""

from collections.abc import Sequence

import numpy as np

from transfer_jax.selection import validators

# {column of a table: key of a history row}; 'last' needs none.
RULES: dict[str, str | None] = {
    'last': None,
    'source_validation': 'source_validation',
    'fixed_validator': validators.FIXED,
    'oracle': 'target_test',
}


def choose(history: Sequence[dict], rule: str) -> dict:
    """The row that a rule picks; ties go to the later row, NaN never wins.

    Raises:
      ValueError: an empty history or an unknown rule.
    """
    if rule not in RULES:
        raise ValueError(f'no rule {rule!r}; there are: {", ".join(RULES)}')
    if not history:
        raise ValueError('the history has no rows to choose from')
    column = RULES[rule]
    return history[-1] if column is None else best(history, column)


def best(history: Sequence[dict], column: str) -> dict:
    """The row with the highest value; ties go to the later row, NaN never wins.

    Raises:
      ValueError: an empty history.
    """
    if not history:
        raise ValueError('the history has no rows to choose from')

    def rank(indexed):
        index, row = indexed
        value = row[column]
        return (-np.inf if np.isnan(value) else value, index)

    return max(enumerate(history), key=rank)[1]
