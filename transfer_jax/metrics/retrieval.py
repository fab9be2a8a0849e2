"""Measures of retrieval as the publishers of its data sets define them, in NumPy."""

import numpy as np


def without_junk(relevant: np.ndarray, junk: np.ndarray) -> np.ndarray:
    """Ranked lists (n, k) with the junk taken out: (n, k) bool, the rest moved up.

    Junk fills the end of its list and is not relevant there, so every measure of the
    lists is as if it had not been ranked. An item that is both is junk.

    Args:
      relevant, junk: whether the item at rank 1, 2, ... is.
    """
    relevant, junk = (np.asarray(x, bool) for x in (relevant, junk))
    if relevant.ndim != 2 or relevant.shape != junk.shape:
        raise ValueError(f'relevant {relevant.shape}, junk {junk.shape}: not (n, k)')
    order = np.argsort(junk, axis=1, kind='stable')
    return np.take_along_axis(relevant & ~junk, order, 1)


def trapezoidal_average_precision(
    relevant: np.ndarray, total: np.ndarray | None = None
) -> np.ndarray:
    """(n, k) -> (n,) float64, AP as by compute_ap.cpp of Oxford Buildings.

    AP = sum_r (recall@r - recall@(r-1)) (precision@(r-1) + precision@r) / 2, with
    precision@0 = 1: the trapezoidal rule (Philbin et al., CVPR 2007). Holidays' program
    computes the same. A list that begins with its relevant items has AP 1 by either
    rule; else `average_precision` differs: for [0, 1] it is 1/2, this is 1/4. NaN for a
    list without relevant items.

    Args:
      relevant: 1 where the item at rank 1, 2, ... is relevant, else 0; see
        without_junk.
      total: (n,) the number of relevant items, by default that in the list. Others
        count as never retrieved.
    """
    relevant = np.asarray(relevant, np.float64)
    if relevant.ndim != 2:
        raise ValueError(f'relevant {relevant.shape}: not (n, k)')
    retrieved, rank = np.cumsum(relevant, 1), np.arange(1, relevant.shape[1] + 1)
    precision = retrieved / rank
    previous = np.concatenate([np.ones((len(relevant), 1)), precision[:, :-1]], 1)
    total = relevant.sum(1) if total is None else np.asarray(total, np.float64)
    area = np.sum(relevant * (previous + precision) / 2, 1)
    return np.where(total > 0, area / np.where(total > 0, total, 1), np.nan)


def n_s_score(relevant: np.ndarray) -> float:
    """(n, k) -> 0 to 4: the mean number of relevant items among the first four.

    The score of UKBench (Nister and Stewenius, CVPR 2006), whose queries are answers to
    themselves; it is four times the precision at 4.
    """
    relevant = np.asarray(relevant, np.float64)
    if relevant.ndim != 2 or relevant.shape[1] < 4:
        raise ValueError(f'relevant {relevant.shape}: not (n, k) with k of at least 4')
    return float(relevant[:, :4].sum(1).mean())
