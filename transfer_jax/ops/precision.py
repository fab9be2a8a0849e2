"""Numbers wide enough for softmax, statistics and losses."""

import jax.numpy as jnp

from transfer_jax.types import Array


def at_least_float32(x: Array) -> Array:
    """At least float32: bfloat16 computes networks, not losses."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
