"""Metrics, each (init, update, compute) on sums over batches; measures of rankings."""

from transfer_jax.metrics.accuracy import Metric, accuracy, class_accuracy, confusion
from transfer_jax.metrics.ranking import (
    average_precision,
    mean_average_precision,
    precision_at,
    recall_at,
)

__all__ = [
    'Metric',
    'accuracy',
    'average_precision',
    'class_accuracy',
    'confusion',
    'mean_average_precision',
    'precision_at',
    'recall_at',
]
