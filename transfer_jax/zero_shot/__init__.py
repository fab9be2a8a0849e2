"""Zero-shot learning on features: classes known by vectors, not by examples.

A method is fitted on seen classes and scores any class that has a vector.
"""

from transfer_jax.zero_shot.eszsl import eszsl, eszsl_path
from transfer_jax.zero_shot.method import ZeroShot, path, pipeline, unit_rows

__all__ = ['ZeroShot', 'eszsl', 'eszsl_path', 'path', 'pipeline', 'unit_rows']
