"""Selection of a few examples of each class by a score."""

import jax.numpy as jnp

from transfer_jax.types import Array


def lowest_per_class(score: Array, label: Array, count: int | Array) -> Array:
    """Whether an example has one of the lowest scores of its class, (n,) booleans.

    Args:
      score: (n,); an example with an infinite score is never selected.
      label: (n,).
      count: the maximum number per class, one number or (c,).
    """
    order = jnp.argsort(score)
    # The rank within the class: the number of earlier examples with finite score.
    same_class = label[order, None] == label[order]
    finite = jnp.isfinite(score)[order]
    rank = jnp.sum(jnp.tril(same_class, -1) & finite, 1)
    count = jnp.asarray(count)
    limit = count if count.ndim == 0 else count[jnp.maximum(label[order], 0)]
    return jnp.zeros(len(score), bool).at[order].set(finite & (rank < limit))
