"""Closed-form methods: fitted pytrees that predict as deep methods do."""

from transfer_jax.shallow.classifiers import nearest_neighbour
from transfer_jax.shallow.none import none
from transfer_jax.shallow.shallow import (
    Classifier,
    Fitted,
    Pipeline,
    Shallow,
    pipeline,
)
from transfer_jax.shallow.subspace_alignment import subspace_alignment

__all__ = [
    'Classifier',
    'Fitted',
    'Pipeline',
    'Shallow',
    'nearest_neighbour',
    'none',
    'pipeline',
    'subspace_alignment',
]
