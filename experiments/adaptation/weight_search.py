"""The best of a grid of weights that grows where its best is at an edge."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

FACTOR = 3  # between neighbouring weights
TIMES = (1 / 9, 1 / 3, 1, 3, 9)  # the published weight
MOST_ADDED = 3  # weights beyond the first grid, for each method


class Scores(NamedTuple):
    """Of one weight at the last step, a number for each seed; NaN: not identified."""

    fixed: Sequence[float]  # by the fixed validator
    beside: Sequence[float]  # by the one beside it
    temperature: Sequence[float]
    starts: Sequence[Mapping] = ()  # what the run was made with

    @property
    def mean(self) -> float:
        """Of the fixed validator over the seeds that have it; NaN for none."""
        return mean(self.fixed)


class Tuned(NamedTuple):
    """The outcome for one method."""

    chosen: float | None  # None: no weight has a score
    beside: float | None  # what the other score would choose
    at_edge: bool
    by_weight: Mapping[float, Scores]  # in increasing order


# Trains a method with these weights and scores them.
Score = Callable[[Sequence[float]], Mapping[float, Scores]]


def grid(published: float) -> list[float]:
    """The first weights, in increasing order: 0, and around the published one."""
    return [0.0, *(_rounded(published * t) if t != 1 else published for t in TIMES)]


def search(published: float, score: Score) -> Tuned:
    """The choice among the weights of the grid and those that its edges ask for."""
    by_weight = dict(score(grid(published)))
    for _ in range(MOST_ADDED):
        added = beyond(best(by_weight), by_weight)
        if added is None:
            break
        by_weight |= score([added])
    by_weight = dict(sorted(by_weight.items()))
    chosen = best(by_weight)
    return Tuned(
        chosen,
        best(by_weight, lambda scores: scores.beside),
        beyond(chosen, by_weight) is not None,
        by_weight,
    )


def best(
    by_weight: Mapping[float, Scores],
    of: Callable[[Scores], Sequence[float]] = lambda scores: scores.fixed,
) -> float | None:
    """The weight with the highest mean score, of equal ones the smallest.

    The mean is over the seeds that every weight has, so that none gains by a seed that
    it lacks; weights without any score are left out. None where no weight or no seed is
    left.
    """
    rows = {weight: np.asarray(of(s), float) for weight, s in sorted(by_weight.items())}
    rows = {weight: row for weight, row in rows.items() if not np.isnan(row).all()}
    if not rows:
        return None
    common = ~np.any([np.isnan(row) for row in rows.values()], axis=0)
    if not common.any():
        return None
    means = {weight: row[common].mean() for weight, row in rows.items()}
    return max(means, key=means.get)


def beyond(chosen: float | None, weights: Sequence[float]) -> float | None:
    """The next weight past the edge at which the chosen one is; None elsewhere."""
    positive = [weight for weight in weights if weight]
    if not chosen:
        return None
    if chosen == max(positive):
        return _rounded(chosen * FACTOR)
    return _rounded(chosen / FACTOR) if chosen == min(positive) else None


def mean(values: Sequence[float]) -> float:
    """Of the values that are numbers; NaN for none."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _rounded(weight: float) -> float:
    return float(f'{weight:.2g}')
