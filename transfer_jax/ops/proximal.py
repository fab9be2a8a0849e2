"""Proximal operators: the minimisers of a penalty plus a squared distance."""

import chex
import jax.numpy as jnp
import optax

from transfer_jax.types import Array


def shrink_groups(x: Array, threshold: Array | float, axis: int) -> Array:
    """argmin_y ||y - x||^2 / 2 + threshold * sum_g ||y_g||, (n, d) -> (n, d).

    y_g = x_g max(0, 1 - threshold / ||x_g||): each group is shortened by `threshold`,
    and becomes zero if it is not longer than that (Yuan & Lin 2006). With threshold 0
    the result is x.

    Args:
      axis: the axis within a group: 0 makes columns groups, 1 rows.
    """
    chex.assert_rank(x, 2)
    length = optax.safe_norm(x, 1e-30, axis=axis, keepdims=True)
    factor = jnp.where(length > threshold, 1 - threshold / length, 0.0)
    return x * jnp.where(threshold > 0, factor, 1.0)
