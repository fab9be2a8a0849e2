"""Data and hyper-parameters of all sides, and the quantities that are compared.

Needs NumPy only, so that a side imports no package but its own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

CLASSES = 10
LABELLED = 3  # target examples of each class, for semi-supervised methods
DIMENSION = 30
ITERATIONS = 10  # of TJM, JDA, JDOT, class-regularised transport
SUBSPACES = 8  # of Geodesic Flow Sampling
PROJECTION_STEPS = 200  # of Domain Invariant Projection, at most
ENTROPY = 0.02  # in units of the largest cost, as all weights of transport
GROUPS = 0.05
GRAPH = 1.0
GRAPH_NEIGHBOURS = 3
TURNS = 100  # of conditional gradients, at most
INNER = 20_000  # iterations of Sinkhorn in each, at most
CENTRES, FOLDS = 100, 5  # of KLIEP
BOUND = 1_000.0  # of a weight, in kernel mean matching
ROUNDS = 20  # of boosting
EXCHANGES, EXCHANGED = 50, 0.05  # of DASVM: number, share of the target in each
CONSTRAINTS, SWEEPS = 500, 5  # of metric learning
DESCRIPTORS = 8  # of an image
STEPS = 100  # of the metric of class means
PERMUTATIONS = 1_000
NEIGHBOURS = 5


class Problem(NamedTuple):
    """Two domains of float64 features."""

    xs: np.ndarray  # (n / 2, d)
    ys: np.ndarray  # (n / 2,)
    xt: np.ndarray  # (n / 2, d)
    yt: np.ndarray  # (n / 2,), -1 except for the first LABELLED of each class


class Side(NamedTuple):
    """One implementation of a method."""

    run: Callable[[], Any]  # fits, and transforms both domains or predicts the target
    answer: Callable[[Any], np.ndarray]  # from the result of `run`: what is compared
    compile: float | None = None  # seconds; None if the first run compiles


Build = Callable[[Problem], Side]


def problem(n: int, d: int) -> Problem:
    """n / 2 examples of Gaussian classes in each domain; the target is deformed.

    The spectrum falls as 1 / k. The target is stretched along its axes, slightly
    rotated, and shifted. The average variance of features is 1 in either domain.
    """
    rng = np.random.default_rng(0)
    label = np.arange(n // 2) % CLASSES
    spectrum = (1.0 + np.arange(d)) ** -0.5
    means = 1.5 * spectrum * rng.normal(size=(CLASSES, d))
    axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
    rotation = np.linalg.qr(np.eye(d) + 0.1 / np.sqrt(d) * rng.normal(size=(d, d)))[0]

    def draw():
        return spectrum * rng.normal(size=(n // 2, d)) + means[label]

    xs = draw() @ axes
    xt = draw() * np.exp(0.3 * rng.normal(size=d)) @ rotation @ axes
    xt += 0.5 * spectrum * rng.normal(size=d) @ axes
    xs, xt = (x / np.sqrt(x.var(0).mean()) for x in (xs, xt))
    given = np.arange(n // 2) < LABELLED * CLASSES
    return Problem(xs, label, xt, np.where(given, label, -1))


def variance(p: Problem) -> float:
    """Variance of Gaussian kernels: about half the squared distance of two examples."""
    return float(p.xs.shape[1])


def widths(p: Problem) -> list[float]:
    """Candidate variances of Gaussian kernels."""
    return [variance(p) * 2.0**k for k in range(-3, 4)]


def labelled(p: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of the source, then of the labelled target examples."""
    given = p.yt >= 0
    return np.concatenate([p.xs, p.xt[given]]), np.concatenate([p.ys, p.yt[given]])


def near(p: Problem) -> Problem:
    """The problem scaled down until its classes overlap at distances about 1."""
    scale = np.sqrt(8 / p.xs.shape[1])
    return p._replace(xs=p.xs * scale, xt=p.xt * scale)


def halves(p: Problem) -> np.ndarray:
    """(n / 2,) 0 or 1, two groups of classes, for methods of two classes."""
    return (p.ys >= CLASSES // 2).astype(int)


def kernel(features) -> np.ndarray:
    """Inner products of some features of both domains, invariant to rotations."""
    zs, zt = (np.asarray(z) for z in features)
    z = np.concatenate([part[:: max(1, len(part) // 100)] for part in (zs, zt)])
    return z @ z.T


def centred_kernel(features) -> np.ndarray:
    """`kernel` with each domain centred, because only some sides centre domains."""
    parts = (np.asarray(z) for z in features)
    return kernel([z - z.mean(0) for z in parts])


def largest_cost(p: Problem) -> float:
    """The largest squared distance of a source from a target example."""
    return float(squared_distances(p.xs, p.xt).max())


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """|x_i - y_j|^2, in the fastest form in NumPy."""
    distances = x @ y.T
    distances *= -2
    distances += np.sum(x * x, 1)[:, None]
    distances += np.sum(y * y, 1)
    return np.maximum(distances, 0, out=distances)


def evenly_spaced(count: int, most: int) -> np.ndarray:
    """Indices of at most `most` of `count` rows, evenly spaced."""
    size = min(count, most)
    return np.arange(size) * count // size
