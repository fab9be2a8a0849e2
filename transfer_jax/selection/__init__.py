"""Choosing a model without target labels.

A run is evaluated about 20 times; each time is a row of its history, and a rule picks
a row. Validators score the evidence that is allowed: held-out labelled source images
and unlabelled target training images. The oracle alone looks at target labels, and is
reported to show what choosing costs. Diagnostics say, once per run, how far apart the
domains are in the end; no rule reads them.
"""

from transfer_jax.selection.circular import circular_validation
from transfer_jax.selection.diagnostics import DIAGNOSTICS, diagnose
from transfer_jax.selection.mixing import mix, partners
from transfer_jax.selection.rules import RULES, best, choose
from transfer_jax.selection.validators import (
    FIXED,
    MOST,
    VALIDATORS,
    Evidence,
    score,
)
from transfer_jax.selection.weights import density_ratio

__all__ = [
    'DIAGNOSTICS',
    'FIXED',
    'MOST',
    'RULES',
    'VALIDATORS',
    'Evidence',
    'best',
    'choose',
    'circular_validation',
    'density_ratio',
    'diagnose',
    'mix',
    'partners',
    'score',
]
