"""Measures of ranked lists, from what is relevant in the order of the ranks."""

import chex
import jax.numpy as jnp

from transfer_jax.types import Array


def average_precision(relevant: Array, total: Array | None = None) -> Array:
    """(n, k) -> (n,), the mean precision at the ranks of the relevant items.

    AP = 1 / R sum_r relevant_r precision@r, not interpolated: neither the trapezoid of
    the Oxford Buildings script nor the 11 points of PASCAL VOC. For scores without ties
    it is scikit-learn's average_precision_score. NaN for a list without anything
    relevant.

    Args:
      relevant: 1 where the item at rank 1, 2, ... is relevant, else 0.
      total: (n,) R, the relevant items that there are; those in the list if None. With
        a list cut short, items beyond it count as never found.
    """
    chex.assert_rank(relevant, 2)
    relevant = _numbers(relevant)
    found = jnp.cumsum(relevant, 1)
    precision = found / jnp.arange(1, relevant.shape[1] + 1)
    total = found[:, -1] if total is None else total
    some = total > 0
    mean = jnp.sum(relevant * precision, 1) / jnp.where(some, total, 1)
    return jnp.where(some, mean, jnp.nan)


def mean_average_precision(relevant: Array, total: Array | None = None) -> Array:
    """(n, k) -> (), mAP: `average_precision` over the queries that have an answer."""
    return jnp.nanmean(average_precision(relevant, total))


def recall_at(relevant: Array, k: int) -> Array:
    """(n, m) -> (), share of queries with a relevant item in the first k.

    The Recall@K of metric learning (Jegou et al., TPAMI 2011; Song et al., CVPR 2016,
    section 6), not the share of relevant items that is found.
    """
    chex.assert_rank(relevant, 2)
    return jnp.mean(jnp.any(_numbers(relevant)[:, :k] > 0, 1))


def precision_at(relevant: Array, k: int) -> Array:
    """(n, m) -> (), mean share of relevant items among the first k."""
    chex.assert_rank(relevant, 2)
    return jnp.mean(jnp.sum(_numbers(relevant)[:, :k], 1) / k)


def _numbers(relevant: Array) -> Array:
    relevant = jnp.asarray(relevant)
    return relevant.astype(jnp.promote_types(relevant.dtype, jnp.float32))
