"""Evaluation: predictions over data, stored features, retrieval, single units."""

from transfer_jax.evaluation import feature_store, on_device, retrieval, units
from transfer_jax.evaluation.evaluate import Predict, bind, evaluate, extract

__all__ = [
    'Predict',
    'bind',
    'evaluate',
    'extract',
    'feature_store',
    'on_device',
    'retrieval',
    'units',
]
