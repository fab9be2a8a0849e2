"""Which examples join or leave a training set: a few of each class, by a score."""

import jax.numpy as jnp

from transfer_jax.types import Array


def first_of_class(score: Array, label: Array, count: int | Array) -> Array:
    """Whether an example is among the first of its class, (n,) booleans.

    Args:
      score: (n,), lowest first; an example of infinite score is never taken.
      label: (n,).
      count: how many of a class are taken at most, one number or (c,).
    """
    order = jnp.argsort(score)
    # An earlier example of the class and of finite score: its rank within the class.
    same = label[order, None] == label[order]
    finite = jnp.isfinite(score)[order]
    rank = jnp.sum(jnp.tril(same, -1) & finite, 1)
    count = jnp.asarray(count)
    limit = count if count.ndim == 0 else count[jnp.maximum(label[order], 0)]
    return jnp.zeros(len(score), bool).at[order].set(finite & (rank < limit))
