"""What methods minimise or maximise, of their answers: outside of all timings."""

import numpy as np

from benchmarks.shallow import problem as problems
from benchmarks.shallow.problem import Problem


def group_lasso(p: Problem, plan: np.ndarray) -> np.ndarray:
    """Entropic transport with a group lasso over classes."""
    own = np.eye(problems.CLASSES)[p.ys]
    lengths = np.sqrt(own.T @ plan**2)
    return _entropic(p, plan) + problems.GROUPS * lengths.sum()


def class_concave(p: Problem, plan: np.ndarray) -> np.ndarray:
    """Entropic transport with square roots of the masses of classes."""
    own = np.eye(problems.CLASSES)[p.ys]
    return _entropic(p, plan) + problems.GROUPS * np.sqrt(own.T @ plan + 1e-3).sum()


def laplacian(p: Problem, plan: np.ndarray) -> np.ndarray:
    """Exact transport that keeps neighbours together; features in units of costs."""
    from sklearn.neighbors import kneighbors_graph

    def smooth(x, y):
        graph = kneighbors_graph(x, problems.GRAPH_NEIGHBOURS).toarray()
        graph = (graph + graph.T) / 2
        return np.sum(y * (graph.sum(1)[:, None] * y - graph @ y))

    scale = problems.largest_cost(p)
    moved = smooth(p.xs, plan @ p.xt) + smooth(p.xt, plan.T @ p.xs)
    return _cost(p, plan) + problems.GRAPH * 0.5 * moved / scale


def mean_matching(p: Problem, weight: np.ndarray) -> np.ndarray:
    """Kernel mean matching, divided by n^2: half a squared distance of means."""
    own, other = (_gaussian(p, p.xs, x) for x in (p.xs, p.xt))
    n = len(weight)
    of_target = _gaussian(p, p.xt, p.xt).mean()
    inner = weight @ own @ weight / n**2 - 2 * weight @ other.mean(1) / n
    return np.array((inner + of_target) / 2)


def importance(p: Problem, centre, share, variance) -> np.ndarray:
    """Minus the mean log w of KLIEP over the target, w of mean 1 over the source."""

    def values(x):
        return np.exp(-problems.squared_distances(x, centre) / (2 * variance)) @ share

    return np.log(values(p.xs).mean()) - np.log(values(p.xt)).mean()


def _gaussian(p, x, y):
    distances = problems.squared_distances(x, y)
    return np.exp(-distances / (2 * problems.variance(p)))


def _cost(p, plan):
    cost = problems.squared_distances(p.xs, p.xt)
    return np.array(np.sum(plan * cost) / cost.max())


def _entropic(p, plan):
    there = plan[plan > 0]
    return _cost(p, plan) + problems.ENTROPY * np.sum(there * np.log(there))
