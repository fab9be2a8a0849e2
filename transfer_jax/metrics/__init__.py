"""Metrics, each (init, update, compute) on sums over batches."""

from transfer_jax.metrics.accuracy import Metric, accuracy, confusion

__all__ = ['Metric', 'accuracy', 'confusion']
