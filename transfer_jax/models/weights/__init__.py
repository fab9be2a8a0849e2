"""Pretrained weights: read a file, rename its arrays, fill a network with them."""

from transfer_jax.models.weights.convert import (
    as_convolutions,
    convert,
    fitting,
    rename,
)
from transfer_jax.models.weights.files import read, write
from transfer_jax.models.weights.mappings import Mapping
from transfer_jax.models.weights.tables import MAPPINGS

__all__ = [
    'MAPPINGS',
    'Mapping',
    'as_convolutions',
    'convert',
    'fitting',
    'read',
    'rename',
    'write',
]
