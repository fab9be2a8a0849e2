"""Projection of two domains' features onto few common directions."""

import numpy as np
from scipy import linalg

DIRECTIONS = 64
WIDE = 1024  # with more features, directions are sought within a sketch
SKETCH = 128  # dimension of the sketch
EXAMPLES_PER_DIRECTION = 10  # at least


def project(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal directions of both domains' standardised features, (n, k) and (m, k).

    Constant features are dropped. All others are scaled to mean 0 and standard
    deviation 1 over both domains. k is at most 64 and at most a tenth of n + m. The
    direction of largest variance is scaled to standard deviation 1. Float64.

    Raises:
      ValueError: a feature is not finite.
    """
    x = np.concatenate([source, target])
    x = x.astype(np.float32, copy=False)
    if not np.all(np.isfinite(x)):
        raise ValueError('features are not finite')
    mean, scale = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)
    varies = scale > 1e-6 * np.abs(x).max(0)
    if not np.any(varies):
        x = np.zeros((len(x), 1))
        return x[: len(source)], x[len(source) :]
    x = x[:, varies] - mean[varies].astype(np.float32)
    x /= scale[varies].astype(np.float32)
    if x.shape[1] > WIDE:
        x = x @ _range(x)
    x = x.astype(np.float64)
    width = x.shape[1]
    count = max(1, min(DIRECTIONS, width, len(x) // EXAMPLES_PER_DIRECTION))
    largest = [width - count, width - 1]
    value, vector = linalg.eigh(x.T @ x / len(x), subset_by_index=largest)
    x = x @ vector / np.sqrt(value[-1])
    return x[: len(source)], x[len(source) :]


def random_directions(width: int) -> np.ndarray:
    """(width, 128) the same random vectors at every call."""
    return np.random.default_rng(0).standard_normal((width, SKETCH), np.float32)


def _range(x: np.ndarray) -> np.ndarray:
    """(d, 128) orthonormal basis of x'x times random vectors (Halko et al. 2011)."""
    return np.linalg.qr(x.T @ (x @ random_directions(x.shape[1])))[0]
