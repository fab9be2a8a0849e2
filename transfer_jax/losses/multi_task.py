"""Losses of several tasks: labels that may be missing, and how tasks are weighed."""

import chex
import jax.numpy as jnp

from transfer_jax.losses import classification
from transfer_jax.types import Array

UNKNOWN = -1  # the label of an example that has none


def known_cross_entropy(logits: Array, label: Array) -> Array:
    """Cross-entropy of the label, and 0 where it is -1, (n, c), (n,) -> (n,).

    An example without a label has no gradient either. The mean over those that have one
    is the sum divided by their number.
    """
    chex.assert_rank([logits, label], [2, 1])
    known = label != UNKNOWN
    losses = classification.cross_entropy(logits, jnp.where(known, label, 0))
    return jnp.where(known, losses, 0.0)


def uncertainty_weighted(loss: Array, log_sigma: Array) -> Array:
    """exp(-2 s) loss + s with s = log sigma learned, elementwise.

    Homoscedastic uncertainty of a classification task (Kendall, Gal & Cipolla, CVPR
    2018, eq. 10, for each of its terms): the larger a task's noise sigma, the less its
    loss weighs, and log sigma keeps sigma from growing. At its best sigma^2 = 2 loss.
    """
    chex.assert_equal_shape([loss, log_sigma])
    return jnp.exp(-2 * log_sigma) * loss + log_sigma
