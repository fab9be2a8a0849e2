"""Losses: arrays in, one number per example out. No model, no config."""

from transfer_jax.losses.adversarial import binary_cross_entropy
from transfer_jax.losses.classification import cross_entropy

__all__ = ['binary_cross_entropy', 'cross_entropy']
