"""Precision of softmax, statistics and losses."""

import jax
import jax.numpy as jnp

from transfer_jax.types import PyTree


def at_least_float32(x: PyTree) -> PyTree:
    """An array, or each array of a tree, in float32, or in its own type if wider.

    Networks may compute in bfloat16 or float16, but they are too coarse for losses:
    every loss widens its inputs first.
    """
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)), x
    )
