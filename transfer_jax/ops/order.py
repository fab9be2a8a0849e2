"""Positions of extreme values."""

import jax.numpy as jnp

from transfer_jax.types import Array


def argmax_first(x: Array, axis: int = -1) -> Array:
    """Index of the first largest value along an axis, int32; the last index for NaN.

    jnp.argmax of float64 does not lower in a program that is compiled without
    jax_enable_x64, nor under a vmap around it; this function does.
    """
    n = x.shape[axis]
    shape = [1] * x.ndim
    shape[axis] = n
    index = jnp.arange(n, dtype=jnp.int32).reshape(shape)
    largest = x == jnp.max(x, axis, keepdims=True)
    return jnp.min(jnp.where(largest, index, jnp.int32(n - 1)), axis)
