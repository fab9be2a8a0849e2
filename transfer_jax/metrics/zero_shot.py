"""Measures of zero-shot learning: accuracy per class, both worlds, calibration.

Scores are (n, c) over c classes, and labels (n,) are columns of them. `seen` (c,) is
True for the classes that had training examples.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Generalised(NamedTuple):
    """Accuracies with seen and unseen classes to choose from, shares of 1."""

    unseen: float  # u, the mean over unseen classes
    seen: float  # s, the mean over seen classes
    harmonic: float  # H


class Curve(NamedTuple):
    """The seen-unseen curve: all pairs (u, s) that a gamma can give, u ascending."""

    gamma: np.ndarray  # (t,) one gamma for each point
    unseen: np.ndarray  # (t,) u
    seen: np.ndarray  # (t,) s
    harmonic: np.ndarray  # (t,) H


def mean_class_accuracy(
    predicted: np.ndarray, label: np.ndarray, classes: Sequence[int] | np.ndarray
) -> float:
    """The mean over `classes` of the share of their examples that are predicted.

    The measure of Xian et al. (TPAMI 2019). Examples of other classes do not
    count.

    Raises:
      ValueError: no classes, or a class without an example.
    """
    predicted, label = np.asarray(predicted), np.asarray(label)
    if not len(classes):
        raise ValueError('an accuracy per class needs at least one class')
    shares = []
    for c in classes:
        mine = label == c
        if not mine.any():
            raise ValueError(f'class {c} has no example, so it has no accuracy')
        shares.append(np.mean(predicted[mine] == c))
    return float(np.mean(shares))


def harmonic_mean(unseen: float, seen: float) -> float:
    """H = 2 u s / (u + s), and 0 where both are 0."""
    total = np.asarray(unseen) + np.asarray(seen)
    value = 2 * np.asarray(unseen) * seen / np.where(total > 0, total, 1)
    return float(value) if np.ndim(value) == 0 else value


def score_deviation(scores: np.ndarray) -> float:
    """(n, c) -> (), the mean over rows of the standard deviation over the classes.

    The unit of gamma, so that it means the same for methods of any scale. Take the
    scores of training or validation examples.
    """
    return float(np.mean(np.std(np.asarray(scores), 1)))


def calibrated(scores: np.ndarray, seen: np.ndarray, gamma: float) -> np.ndarray:
    """(n, c), with gamma subtracted from the scores of the seen classes.

    Calibrated stacking (Chao, Changpinyo, Gong and Sha, ECCV 2016).

    Args:
      gamma: in units of the scores; multiply by `score_deviation`.

    Raises:
      ValueError: there are no unseen classes, or no seen ones.
    """
    scores, seen = np.asarray(scores), _both(scores, seen)
    return np.where(seen, scores - gamma, scores)


def generalised(
    scores: np.ndarray, label: np.ndarray, seen: np.ndarray, gamma: float = 0.0
) -> Generalised:
    """u, s and H with all classes to choose from, after calibrated stacking.

    Every class needs an example in `label`.

    Raises:
      ValueError: a class without an example, or no seen or no unseen classes.
    """
    seen = _both(scores, seen)
    predicted = np.argmax(calibrated(scores, seen, gamma), 1)
    u = mean_class_accuracy(predicted, label, np.flatnonzero(~seen))
    s = mean_class_accuracy(predicted, label, np.flatnonzero(seen))
    return Generalised(u, s, harmonic_mean(u, s))


def seen_unseen_curve(scores: np.ndarray, label: np.ndarray, seen: np.ndarray) -> Curve:
    """(u, s) for every gamma, from all examples in seen classes to all in unseen ones.

    An example changes from its best seen to its best unseen class where gamma passes
    the difference of the two scores. Between neighbouring differences nothing changes,
    so the points are exact: `generalised` with the gamma of a point gives it.

    Raises:
      ValueError: as `generalised`.
    """
    scores, label, seen = np.asarray(scores), np.asarray(label), _both(scores, seen)
    count = np.bincount(label, minlength=len(seen))
    if not count.all():
        raise ValueError(f'class {np.argmin(count > 0)} has no example')
    share = 1 / (count * np.where(seen, seen.sum(), (~seen).sum()))
    weight = share[label]
    best = np.where(seen, scores, -np.inf)
    other = np.where(seen, -np.inf, scores)
    loses = np.where(best.argmax(1) == label, weight, 0)
    gains = np.where(other.argmax(1) == label, weight, 0)
    value, place = np.unique(best.max(1) - other.max(1), return_inverse=True)
    place = place.reshape(-1)
    lost = np.concatenate([[0], np.cumsum(np.bincount(place, loses))])
    u = np.concatenate([[0], np.cumsum(np.bincount(place, gains))])
    s = loses.sum() - lost
    beyond = max(value[-1] - value[0], 1.0)
    ends = np.concatenate([[value[0] - beyond], value, [value[-1] + beyond]])
    s[-1] = 0.0  # without the rounding of the sums
    return Curve((ends[1:] + ends[:-1]) / 2, u, s, harmonic_mean(u, s))


def ausuc(curve: Curve) -> float:
    """The area under the seen-unseen curve, s over u, by trapezoids (Chao et al.)."""
    return float(np.trapezoid(curve.seen, curve.unseen))


def _both(scores, seen) -> np.ndarray:
    """`seen` as booleans, of which some are True and some False."""
    seen = np.asarray(seen, bool)
    if seen.shape != np.shape(scores)[1:]:
        raise ValueError(
            f'seen {seen.shape} does not say for each column of the scores '
            f'{np.shape(scores)} whether its class is seen'
        )
    if seen.all() or not seen.any():
        kind = 'unseen' if seen.all() else 'seen'
        raise ValueError(f'there are no {kind} classes to calibrate')
    return seen
