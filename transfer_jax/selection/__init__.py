"""Model selection without target labels.

A run is evaluated about 20 times. Each evaluation adds a row to its history, and a rule
picks one of the rows. Validators score what is allowed as evidence: held-out labelled
source images and unlabelled target training images. Only the oracle uses target labels;
it is reported to show the cost of selecting without them. Diagnostics measure, once per
run, how far apart the domains are at the end; no rule reads them.
"""

from transfer_jax.selection.calibration import temperature
from transfer_jax.selection.circular import circular_validation
from transfer_jax.selection.diagnostics import DIAGNOSTICS, diagnose
from transfer_jax.selection.mixing import mix, partners
from transfer_jax.selection.rules import (
    LAST,
    RULES,
    WITHOUT_TARGET_LABELS,
    Rule,
    best,
    choose,
    defined,
)
from transfer_jax.selection.validators import (
    FIXED,
    MAX_IMAGES,
    VALIDATORS,
    Evidence,
    score,
)
from transfer_jax.selection.weights import density_ratio

__all__ = [
    'DIAGNOSTICS',
    'FIXED',
    'LAST',
    'MAX_IMAGES',
    'RULES',
    'Rule',
    'VALIDATORS',
    'WITHOUT_TARGET_LABELS',
    'Evidence',
    'best',
    'choose',
    'circular_validation',
    'defined',
    'density_ratio',
    'diagnose',
    'mix',
    'partners',
    'score',
    'temperature',
]
