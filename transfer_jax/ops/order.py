"""Places of extreme values."""

import jax.numpy as jnp

from transfer_jax.types import Array


def argmax_first(x: Array, axis: int = -1) -> Array:
    """Where the first of the largest values along an axis stands, int32.

    jnp.argmax in float64 does not lower in a program that is compiled outside of
    jax_enable_x64, nor under a vmap around it; this does. The last place for NaN.
    """
    n = x.shape[axis]
    shape = [1] * x.ndim
    shape[axis] = n
    place = jnp.arange(n, dtype=jnp.int32).reshape(shape)
    best = x == jnp.max(x, axis, keepdims=True)
    return jnp.min(jnp.where(best, place, jnp.int32(n - 1)), axis)
