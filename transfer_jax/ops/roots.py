"""Roots whose gradient is finite at zero."""

import jax.numpy as jnp

from transfer_jax.types import Array


def safe_sqrt(square: Array) -> Array:
    """sqrt(square), element by element; at zero its gradient is 0, not infinite.

    For the length of a vector: `safe_sqrt(jnp.sum(x * x))`.
    """
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
