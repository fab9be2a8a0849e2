"""Ranking losses of class scores (n, c) and labels (n,): (n,) values.

The violation of class y by an example of class t is v_y = max(0, margin + f_y - f_t), 0
for y = t.
"""

import chex
import jax
import jax.numpy as jnp

from transfer_jax.types import Array


def violations(scores: Array, label: Array, margin: float | Array) -> Array:
    """(n, c), v."""
    chex.assert_rank([scores, label], [2, 1])
    chex.assert_equal_shape_prefix([scores, label], 1)
    true = jnp.take_along_axis(scores, label[:, None], 1)
    other = ~jax.nn.one_hot(label, scores.shape[1], dtype=bool)
    return jnp.where(other, jnp.maximum(margin + scores - true, 0), 0)


def sum_of_hinges(scores: Array, label: Array, *, margin: float | Array = 0.1) -> Array:
    """sum_y v_y (DeViSE)."""
    return jnp.sum(violations(scores, label, margin), 1)


def largest_hinge(scores: Array, label: Array, *, margin: float | Array = 0.1) -> Array:
    """max_y v_y (SJE)."""
    return jnp.max(violations(scores, label, margin), 1)


def ranked_hinges(scores: Array, label: Array, *, margin: float | Array = 0.1) -> Array:
    """b(r) / r sum_y v_y with b(r) = 1 + 1/2 + ... + 1/r (ALE).

    r is the number of classes that violate the margin; it has no gradient. Mistakes at
    the top of the ranking cost more than those below.
    """
    violation = violations(scores, label, margin)
    rank = jnp.sum(violation > 0, 1)
    harmonic = jnp.cumsum(1 / jnp.arange(1, scores.shape[1] + 1, dtype=scores.dtype))
    first = jnp.maximum(rank, 1)
    return harmonic[first - 1] / first * jnp.sum(violation, 1)
