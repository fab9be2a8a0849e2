"""Kernels of fixed descriptors, and their combinations (Gehler & Nowozin, ICCV 2009).

A kernel is k(x, y) = exp(-d(x, y) / mean d), with the chi-square distance of histograms
or the squared Euclidean distance, and the mean over pairs of training images.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Kernel(NamedTuple):
    """A kernel between n training images, and m test images and the same."""

    train: np.ndarray  # (n, n)
    test: np.ndarray  # (m, n)


def exponential(train: np.ndarray, test: np.ndarray, histograms: bool) -> Kernel:
    """The kernel of descriptors (n, d) and (m, d).

    Args:
      histograms: rows are scaled to the sum 1 and compared by chi-square,
        sum_i (x_i - y_i)^2 / (x_i + y_i); else by the squared Euclidean distance.
    """
    from sklearn.metrics import pairwise

    if histograms:
        train, test = (
            x / np.maximum(x.sum(1, keepdims=True), 1e-12) for x in (train, test)
        )

    def distance(x):
        if histograms:
            return -pairwise.additive_chi2_kernel(x, train)
        return pairwise.euclidean_distances(x, train, squared=True)

    distances = distance(train)
    pairs = max(len(train) * (len(train) - 1), 1)  # the diagonal is 0
    mean = distances.sum() / pairs or 1.0
    return Kernel(np.exp(-distances / mean), np.exp(-distance(test) / mean))


def average(
    kernels: Sequence[Kernel], weights: Sequence[float] | None = None
) -> Kernel:
    """The weighted sum; by default the mean."""
    if weights is None:
        weights = np.full(len(kernels), 1 / len(kernels))
    parts = zip(*kernels, strict=True)
    return Kernel(*(np.tensordot(weights, np.stack(part), 1) for part in parts))


def product(kernels: Sequence[Kernel]) -> Kernel:
    """The geometric mean, the product to the power 1 / number of kernels."""
    parts = zip(*kernels, strict=True)
    return Kernel(*(np.exp(np.mean(np.log(np.stack(part)), 0)) for part in parts))


def weightings(count: int) -> np.ndarray:
    """(1 + 2 count, count): equal weights, one kernel at 1, one halfway between."""
    equal, single = np.full((1, count), 1 / count), np.eye(count)
    return np.concatenate([equal, (single + equal) / 2, single])


def coordinates(kernel: Kernel, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(r, r) and (m, r): vectors with the inner products of the kernel.

    A linear SVM on them is the SVM with the kernel on the training images `rows` (r,).
    """
    value, vector = np.linalg.eigh(kernel.train[np.ix_(rows, rows)])
    spans = value > 1e-10 * value[-1]
    root = np.sqrt(np.where(spans, value, 0))
    inverse = np.where(spans, 1 / np.where(spans, root, 1), 0)
    return vector * root, kernel.test[:, rows] @ (vector * inverse)
