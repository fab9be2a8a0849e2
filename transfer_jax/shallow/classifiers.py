"""Classifiers for adapted source examples: 1-NN, and the logit of an absent class."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from transfer_jax.shallow.shallow import Classifier
from transfer_jax.types import Array

# The logit of a class without examples. Finite, so that entropies are finite too.
ABSENT_LOGIT = float(jnp.finfo(jnp.float32).min)


class Neighbours(NamedTuple):
    """The training examples."""

    x: Array  # (n, k)
    label: Array  # (n,), the number of classes where an example does not count


def nearest_neighbour(classes: int) -> Classifier:
    """1-NN with Euclidean distance.

    The logit of a class is minus the distance to its nearest example, so the prediction
    is the class of the nearest example; among equally near ones the lowest class.
    Padding and unlabelled examples do not count.

    Raises:
      ValueError: `fit` was given instance weights, which it cannot use.
    """

    def fit(key, source, weights):
        del key
        if weights is not None:
            raise ValueError('nearest_neighbour takes no instance weights')
        counts = (source.mask > 0) & (source.label >= 0)
        return Neighbours(source.x, jnp.where(counts, source.label, classes))

    def logits(fitted, x):
        chex.assert_rank(x, 2)
        distance = jnp.sqrt(_squared_distances(fitted.x, x))
        # Labels beyond the last segment are dropped; an empty segment is infinite.
        nearest = jax.ops.segment_min(distance, fitted.label, classes)
        return jnp.maximum(-nearest.T, ABSENT_LOGIT)

    return Classifier(fit, logits)


def _squared_distances(a: Array, b: Array) -> Array:
    """|a_i - b_j|^2, (n, k) and (m, k) -> (n, m)."""
    squares = jnp.sum(a**2, 1)[:, None] + jnp.sum(b**2, 1)
    return jnp.maximum(squares - 2 * (a @ b.T), 0)
