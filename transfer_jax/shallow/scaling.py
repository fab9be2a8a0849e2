"""Features to mean 0 and deviation 1, by statistics of the training examples."""

from typing import NamedTuple

import chex
import jax.numpy as jnp

from transfer_jax.types import Array, Samples


class Scaling(NamedTuple):
    """Statistics of the columns."""

    mean: Array  # (d,)
    deviation: Array  # (d,), 1 for a constant column


def fit_scaling(samples: Samples) -> Scaling:
    """Mean and population deviation of the examples that are no padding."""
    chex.assert_rank([samples.x, samples.mask], [2, 1])
    there = samples.mask[:, None] > 0
    total = jnp.sum(samples.mask > 0)
    x = jnp.where(there, samples.x, 0)
    mean = jnp.sum(x, 0) / total
    variance = jnp.sum(jnp.where(there, x - mean, 0) ** 2, 0) / total
    # A column of equal numbers has a variance of rounding alone.
    eps = jnp.finfo(x.dtype).eps
    constant = variance <= (4 * eps * jnp.abs(mean)) ** 2
    return Scaling(mean, jnp.where(constant, 1, jnp.sqrt(variance)))


def standardise(fitted: Scaling, x: Array) -> Array:
    """(n, d) -> (n, d), in the units of the training examples."""
    return (x - fitted.mean) / fitted.deviation
