"""Measures of ranked lists, from the relevance of each item in ranked order."""

import chex
import jax.numpy as jnp
import numpy as np

from transfer_jax.types import Array


def average_precision(relevant: Array, total: Array | None = None) -> Array:
    """(n, k) -> (n,), the mean precision at the ranks of the relevant items.

    AP = 1 / R sum_r relevant_r precision@r, not interpolated: neither the trapezoid of
    Oxford Buildings (trapezoidal_average_precision) nor the 11 points of PASCAL VOC.
    For scores without ties it equals scikit-learn's average_precision_score. NaN for a
    list without relevant items.

    Args:
      relevant: 1 where the item at rank 1, 2, ... is relevant, else 0.
      total: (n,) R, the number of relevant items; by default the number in the list.
        Items beyond the end of a truncated list count as never retrieved.
    """
    chex.assert_rank(relevant, 2)
    relevant = _numbers(relevant)
    retrieved = jnp.cumsum(relevant, 1)
    precision = retrieved / jnp.arange(1, relevant.shape[1] + 1)
    total = retrieved[:, -1] if total is None else total
    nonempty = total > 0
    mean = jnp.sum(relevant * precision, 1) / jnp.where(nonempty, total, 1)
    return jnp.where(nonempty, mean, jnp.nan)


def mean_average_precision(relevant: Array, total: Array | None = None) -> Array:
    """(n, k) -> (), mAP: `average_precision` over queries with a relevant item."""
    return jnp.nanmean(average_precision(relevant, total))


def recall_at(relevant: Array, k: int) -> Array:
    """(n, m) -> (), share of queries with a relevant item in the first k.

    The Recall@K of metric learning (Jegou et al., TPAMI 2011; Song et al., CVPR 2016,
    section 6), not the share of relevant items that are retrieved.
    """
    chex.assert_rank(relevant, 2)
    return jnp.mean(jnp.any(_numbers(relevant)[:, :k] > 0, 1))


def precision_at(relevant: Array, k: int) -> Array:
    """(n, m) -> (), mean share of relevant items among the first k."""
    chex.assert_rank(relevant, 2)
    return jnp.mean(jnp.sum(_numbers(relevant)[:, :k], 1) / k)


def voc_average_precision(
    scores: np.ndarray,
    relevant: np.ndarray,
    *,
    ignored: np.ndarray | None = None,
    points: str | int = 'all',
    total: int | None = None,
) -> float:
    """Scores (n,) of a class over examples -> its AP as PASCAL VOC defines it.

    The precision is replaced by its envelope, p(r) = max over r' >= r of p(r'), and
    averaged over the recall r: over all of [0, 1] ('all', VOC 2010 and later), or at
    r = 0, 0.1, ..., 1 (11, VOC 2007; Everingham et al., IJCV 2010, section 4.2). Scores
    are real numbers of any type. Equal scores are ranked in the order of the examples.
    NaN without a positive.

    Args:
      relevant: 1 or 0; a negative number leaves the example out, as `ignored` does.
      ignored: True for examples that count as neither correct nor wrong, such as images
        whose only instances are difficult.
      total: the number of positives, by default that in the list; positives missing
        from the list count as never retrieved.

    Raises:
      ValueError: shapes that differ, a score that is NaN, another `points`, or a total
        below the number of positives in the list.
    """
    scores, relevant = np.asarray(scores), np.asarray(relevant)
    if scores.ndim != 1 or scores.shape != relevant.shape:
        raise ValueError(f'scores {scores.shape}, relevant {relevant.shape}: not (n,)')
    if points not in ('all', 11):
        raise ValueError(f"points {points!r}: choose from 'all', 11")
    counted = relevant >= 0
    if ignored is not None:
        counted &= ~np.asarray(ignored, bool)
    scores, correct = scores[counted], relevant[counted] > 0
    if np.isnan(scores).any():
        raise ValueError(f'scores: {int(np.isnan(scores).sum())} of them are NaN')
    positives = int(correct.sum())
    total = positives if total is None else int(total)
    if total < positives:
        raise ValueError(f'total {total}: there are {positives} positives in the list')
    if not total:
        return float('nan')
    retrieved = np.cumsum(correct[_descending(scores)])
    precision = retrieved / np.arange(1, len(retrieved) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    if points == 'all':
        return float(np.sum(envelope * np.diff(retrieved, prepend=0)) / total)
    # In integers, because 0.1 * 3 > 3 / 10 in floating point.
    first = np.searchsorted(10 * retrieved, np.arange(11) * total)
    return float(np.append(envelope, 0.0)[first].mean())


def voc_mean_average_precision(
    scores: np.ndarray,
    relevant: np.ndarray,
    *,
    ignored: np.ndarray | None = None,
    points: str | int = 'all',
) -> float:
    """(n, c) -> mAP: `voc_average_precision` over the classes with a positive."""
    scores, relevant = np.asarray(scores), np.asarray(relevant)
    if scores.ndim != 2 or scores.shape != relevant.shape:
        raise ValueError(
            f'scores {scores.shape}, relevant {relevant.shape}: not (n, c)'
        )
    each = [
        voc_average_precision(
            scores[:, i],
            relevant[:, i],
            ignored=None if ignored is None else np.asarray(ignored)[:, i],
            points=points,
        )
        for i in range(scores.shape[1])
    ]
    each = [value for value in each if not np.isnan(value)]
    return float(np.mean(each)) if each else float('nan')


def _descending(scores: np.ndarray) -> np.ndarray:
    """(n,) -> (n,), indices from the highest score; equal ones in their order.

    Scores are compared and never negated: unsigned integers, the least signed one and
    booleans have no negative.
    """
    ascending = np.argsort(scores[::-1], kind='stable')
    return len(scores) - 1 - ascending[::-1]


def _numbers(relevant: Array) -> Array:
    relevant = jnp.asarray(relevant)
    return relevant.astype(jnp.promote_types(relevant.dtype, jnp.float32))
