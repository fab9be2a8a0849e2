"""Multi-task losses: missing labels and the weighting of tasks."""

import chex
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.losses import classification
from transfer_jax.types import Array

UNKNOWN = -1  # the label of an example without a label


def known_cross_entropy(logits: Array, label: Array) -> Array:
    """Cross-entropy of the label, or 0 where the label is -1, (n, c), (n,) -> (n,).

    An example without a label has no gradient. For the mean over labelled examples,
    divide the sum by their number.
    """
    chex.assert_rank([logits, label], [2, 1])
    known = label != UNKNOWN
    losses = classification.cross_entropy(logits, jnp.where(known, label, 0))
    return jnp.where(known, losses, 0.0)


def uncertainty_weighted(loss: Array, log_sigma: Array) -> Array:
    """exp(-2 s) loss + s, elementwise, with s = log sigma learned.

    Homoscedastic uncertainty of a classification task (Kendall, Gal & Cipolla, CVPR
    2018, eq. 10, for each of its terms). A task with larger noise sigma has a smaller
    weight, and the term log sigma keeps sigma from growing. The minimum over sigma is
    at sigma^2 = 2 loss.
    """
    chex.assert_equal_shape([loss, log_sigma])
    loss, log_sigma = ops.at_least_float32((loss, log_sigma))
    return jnp.exp(-2 * log_sigma) * loss + log_sigma
