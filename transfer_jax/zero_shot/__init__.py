"""Zero-shot learning on features: classes known by vectors, not by examples.

A method is fitted on seen classes and scores any class that has a vector.
`zero_shot.sklearn` has them as scikit-learn estimators; it is imported when first used.
"""

import importlib
from typing import TYPE_CHECKING

from transfer_jax.zero_shot.ale import ale
from transfer_jax.zero_shot.conse import conse, conse_scores
from transfer_jax.zero_shot.dap import dap
from transfer_jax.zero_shot.devise import devise
from transfer_jax.zero_shot.eszsl import eszsl, eszsl_path
from transfer_jax.zero_shot.iap import iap, iap_scores
from transfer_jax.zero_shot.latem import latem
from transfer_jax.zero_shot.method import ZeroShot, path, pipeline, unit_rows
from transfer_jax.zero_shot.ranking import largest_hinge, ranked_hinges, sum_of_hinges
from transfer_jax.zero_shot.sae import sae
from transfer_jax.zero_shot.sje import sje
from transfer_jax.zero_shot.sync import sync

if TYPE_CHECKING:
    from transfer_jax.zero_shot import sklearn

__all__ = [
    'ZeroShot',
    'ale',
    'conse',
    'conse_scores',
    'dap',
    'devise',
    'eszsl',
    'eszsl_path',
    'iap',
    'iap_scores',
    'largest_hinge',
    'latem',
    'path',
    'pipeline',
    'ranked_hinges',
    'sae',
    'sje',
    'sklearn',
    'sum_of_hinges',
    'sync',
    'unit_rows',
]


def __getattr__(name: str):
    if name == 'sklearn':  # of a second or so, which other users need not wait for
        return importlib.import_module(f'{__name__}.sklearn')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
