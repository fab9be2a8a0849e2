"""Objectives of methods at their answers, evaluated outside of all timings."""

import numpy as np

from benchmarks.shallow import problem as problems
from benchmarks.shallow.problem import Problem


def group_lasso(p: Problem, plan: np.ndarray) -> np.ndarray:
    """Entropic transport with a group lasso over classes."""
    one_hot = np.eye(problems.CLASSES)[p.ys]
    lengths = np.sqrt(one_hot.T @ plan**2)
    return _entropic(p, plan) + problems.GROUPS * lengths.sum()


def class_concave(p: Problem, plan: np.ndarray) -> np.ndarray:
    """Entropic transport with square roots of the masses of classes."""
    one_hot = np.eye(problems.CLASSES)[p.ys]
    return _entropic(p, plan) + problems.GROUPS * np.sqrt(one_hot.T @ plan + 1e-3).sum()


def laplacian(p: Problem, plan: np.ndarray) -> np.ndarray:
    """Exact transport with Laplacian regularisation; features in units of costs."""
    from sklearn.neighbors import kneighbors_graph

    def smooth(x, y):
        graph = kneighbors_graph(x, problems.GRAPH_NEIGHBOURS).toarray()
        graph = (graph + graph.T) / 2
        return np.sum(y * (graph.sum(1)[:, None] * y - graph @ y))

    scale = problems.largest_cost(p)
    roughness = smooth(p.xs, plan @ p.xt) + smooth(p.xt, plan.T @ p.xs)
    return _cost(p, plan) + problems.GRAPH * 0.5 * roughness / scale


def mean_matching(p: Problem, weight: np.ndarray) -> np.ndarray:
    """Kernel mean matching, divided by n^2: half the squared distance of means."""
    within, between = (_gaussian(p, p.xs, x) for x in (p.xs, p.xt))
    n = len(weight)
    within_target = _gaussian(p, p.xt, p.xt).mean()
    inner = weight @ within @ weight / n**2 - 2 * weight @ between.mean(1) / n
    return np.array((inner + within_target) / 2)


def importance(p: Problem, centre, share, variance) -> np.ndarray:
    """Minus the mean log w of KLIEP over the target, with w of mean 1 on the source."""

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
    positive = plan[plan > 0]
    return _cost(p, plan) + problems.ENTROPY * np.sum(positive * np.log(positive))
