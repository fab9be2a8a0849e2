"""Choosing a model without target labels.

A run is evaluated about 20 times; each time is a row of its history, and a rule picks
a row. Validators score the evidence that is allowed: held-out labelled source images
and unlabelled target training images. The oracle alone looks at target labels, and is
reported to show what choosing costs.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from transfer_jax import ops

MOST = 2000  # images of each domain that validators see


class Evidence(NamedTuple):
    """What validators may look at."""

    source_logits: np.ndarray  # (n, c) of held-out source images
    source_label: np.ndarray  # (n,)
    target_logits: np.ndarray  # (m, c) of unlabelled target training images


Validator = Callable[[Evidence], float]  # higher is better


def source_validation(evidence: Evidence) -> float:
    """Accuracy on held-out source images."""
    return float(np.mean(evidence.source_logits.argmax(-1) == evidence.source_label))


def information_maximization(evidence: Evidence) -> float:
    """H(mean p) - mean H(p) of target predictions, in nats; see ops.entropy."""
    return float(_mutual_information(evidence.target_logits))


VALIDATORS: dict[str, Validator] = {
    'source_validation': source_validation,
    'information_maximization': information_maximization,
}
FIXED = 'information_maximization'  # fixed in advance, for every table

# {column of a table: key of a history row}; 'last' needs none.
RULES: dict[str, str | None] = {
    'last': None,
    'source_validation': 'source_validation',
    'fixed_validator': FIXED,
    'oracle': 'target_test',
}


def score(evidence: Evidence) -> dict[str, float]:
    """Every validator's score."""
    return {name: validator(evidence) for name, validator in VALIDATORS.items()}


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
    if column is None:
        return history[-1]

    def rank(indexed):
        index, row = indexed
        value = row[column]
        return (-np.inf if np.isnan(value) else value, index)

    return max(enumerate(history), key=rank)[1]


_mutual_information = jax.jit(ops.mutual_information)
