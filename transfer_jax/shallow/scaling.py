"""Scaling of features to mean 0 and standard deviation 1."""

from typing import NamedTuple

import chex
import jax.numpy as jnp

from transfer_jax.types import Array, Samples


class Scaling(NamedTuple):
    """Mean and standard deviation of the columns."""

    mean: Array  # (d,)
    deviation: Array  # (d,), 1 for a constant column


def fit_scaling(samples: Samples) -> Scaling:
    """Mean and population standard deviation of the examples, without padding."""
    chex.assert_rank([samples.x, samples.mask], [2, 1])
    present = samples.mask[:, None] > 0
    total = jnp.sum(samples.mask > 0)
    x = jnp.where(present, samples.x, 0)
    mean = jnp.sum(x, 0) / total
    variance = jnp.sum(jnp.where(present, x - mean, 0) ** 2, 0) / total
    # The variance of a constant column is only rounding error.
    eps = jnp.finfo(x.dtype).eps
    constant = variance <= (4 * eps * jnp.abs(mean)) ** 2
    return Scaling(mean, jnp.where(constant, 1, jnp.sqrt(variance)))


def standardise(fitted: Scaling, x: Array) -> Array:
    """(n, d) -> (n, d), scaled by the statistics of the training examples."""
    return (x - fitted.mean) / fitted.deviation
