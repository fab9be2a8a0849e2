"""Correlation between the features of two representations."""

import chex
import jax.numpy as jnp

from transfer_jax.ops import descriptors, precision
from transfer_jax.types import Array


@precision.full_precision
def cross_correlation(x: Array, y: Array) -> Array:
    """Pearson correlation of the features of x and y, (n, d), (n, e) -> (d, e).

    A constant feature has correlation 0 with every other.
    """
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_prefix([x, y], 1)
    return _standardise(x).T @ _standardise(y)


def _standardise(x):
    """Columns centred and of length 1; constant columns are zero."""
    x = x - jnp.mean(x, 0)
    return descriptors.l2_normalise(x, 0, rounding=1e-12)
