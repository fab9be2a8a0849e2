"""Proximal operators: the minimisers of a penalty plus a squared distance."""

import chex
import jax.numpy as jnp

from transfer_jax.types import Array


def shrink_groups(x: Array, amount: Array | float, axis: int) -> Array:
    """argmin_y ||y - x||^2 / 2 + amount * sum_g ||y_g||, (n, d) -> (n, d).

    y_g = x_g max(0, 1 - amount / ||x_g||): each group gets shorter, and exactly zero
    where it was no longer than `amount` (Yuan & Lin 2006). At amount 0 it is x itself.

    Args:
      axis: along which a group lies: 0 for columns as groups, 1 for rows.
    """
    chex.assert_rank(x, 2)
    length = jnp.sqrt(jnp.sum(x * x, axis, keepdims=True))
    keep = jnp.where(length > amount, 1 - amount / jnp.maximum(length, 1e-30), 0.0)
    return x * jnp.where(amount > 0, keep, 1.0)
