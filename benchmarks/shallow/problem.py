"""The data of all sides, their hyper-parameters, and what is compared of results.

NumPy alone, so that a side needs no more than its own package.
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
ENTROPY = 0.02  # in units of the largest cost, as all of transport
GROUPS = 0.05
GRAPH = 1.0
GRAPH_NEIGHBOURS = 3
TURNS = 100  # of conditional gradients, at most
INNER = 20_000  # iterations of Sinkhorn in each, at most
CENTRES, FOLDS = 100, 5  # of KLIEP
BOUND = 1_000.0  # of a weight, in kernel mean matching
ROUNDS = 20  # of boosting
EXCHANGES, EXCHANGED = 50, 0.05  # of DASVM: how many, share of the target in each
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
    yt: np.ndarray  # (n / 2,), -1 but for the first LABELLED of each class


class Side(NamedTuple):
    """One way to do what a method does."""

    run: Callable[[], Any]  # the fit, both domains transformed or the target predicted
    answer: Callable[[Any], np.ndarray]  # of that, what is compared
    compile: float | None = None  # seconds; None: in the first run


Build = Callable[[Problem], Side]


def problem(n: int, d: int) -> Problem:
    """n / 2 examples of Gaussian classes in each domain; the target is deformed.

    The spectrum falls as 1 / k. The target is stretched along its axes, turned a
    little, and moved. Features have variance 1 on average in either domain.
    """
    rng = np.random.default_rng(0)
    label = np.arange(n // 2) % CLASSES
    spectrum = (1.0 + np.arange(d)) ** -0.5
    means = 1.5 * spectrum * rng.normal(size=(CLASSES, d))
    axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
    turned = np.linalg.qr(np.eye(d) + 0.1 / np.sqrt(d) * rng.normal(size=(d, d)))[0]

    def draw():
        return spectrum * rng.normal(size=(n // 2, d)) + means[label]

    xs = draw() @ axes
    xt = draw() * np.exp(0.3 * rng.normal(size=d)) @ turned @ axes
    xt += 0.5 * spectrum * rng.normal(size=d) @ axes
    xs, xt = (x / np.sqrt(x.var(0).mean()) for x in (xs, xt))
    given = np.arange(n // 2) < LABELLED * CLASSES
    return Problem(xs, label, xt, np.where(given, label, -1))


def variance(p: Problem) -> float:
    """Of Gaussian kernels: about half of the squared distance of two examples."""
    return float(p.xs.shape[1])


def widths(p: Problem) -> list[float]:
    """Variances to choose from."""
    return [variance(p) * 2.0**k for k in range(-3, 4)]


def labelled(p: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of the source, then those of the target that have some."""
    given = p.yt >= 0
    return np.concatenate([p.xs, p.xt[given]]), np.concatenate([p.ys, p.yt[given]])


def near(p: Problem) -> Problem:
    """The same, so much smaller that its classes overlap at distances about 1."""
    scale = np.sqrt(8 / p.xs.shape[1])
    return p._replace(xs=p.xs * scale, xt=p.xt * scale)


def halves(p: Problem) -> np.ndarray:
    """(n / 2,) the first or the second side of two, for methods of two classes."""
    return (p.ys >= CLASSES // 2).astype(int)


def kernel(features) -> np.ndarray:
    """Inner products of some features of both domains, which no rotation changes."""
    zs, zt = (np.asarray(z) for z in features)
    z = np.concatenate([part[:: max(1, len(part) // 100)] for part in (zs, zt)])
    return z @ z.T


def centred_kernel(features) -> np.ndarray:
    """The same, each domain about its mean, which some sides take off and some not."""
    parts = (np.asarray(z) for z in features)
    return kernel([z - z.mean(0) for z in parts])


def largest_cost(p: Problem) -> float:
    """The largest squared distance of a source from a target example."""
    return float(squared_distances(p.xs, p.xt).max())


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """|x_i - y_j|^2, as NumPy does it best."""
    found = x @ y.T
    found *= -2
    found += np.sum(x * x, 1)[:, None]
    found += np.sum(y * y, 1)
    return np.maximum(found, 0, out=found)


def spread(count: int, most: int) -> np.ndarray:
    """At most `most` of `count` rows, evenly."""
    size = min(count, most)
    return np.arange(size) * count // size
