"""Precision of softmax, statistics and losses."""

import jax.numpy as jnp

from transfer_jax.types import Array


def at_least_float32(x: Array) -> Array:
    """x in float32, or in its own type if that is wider.

    Networks may compute in bfloat16, but it is too coarse for losses.
    """
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
