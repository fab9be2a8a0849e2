"""Linear SVMs with squared hinge loss, solved exactly on the host.

The objective is quadratic as long as the same examples lie inside of the margin, so a
Newton step solves it for them, and few steps find the right ones (Keerthi and DeCoste,
JMLR 2005). The linear system has the size of the smaller of the two: examples inside of
the margin, or features. XLA, whose shapes are fixed, could only solve the largest.
"""

import functools

import jax.numpy as jnp
import numpy as np
import scipy.linalg

from transfer_jax import ops
from transfer_jax.shallow import newton
from transfer_jax.types import Array

STEPS = 100  # at most
STAGE, ROUGH = 30.0, 1e-2  # ratio of scales on the way, and their tolerance
SEARCHES = 30  # evaluations of the slope along a step, at most


def minimise(
    x: Array, sign: Array, scale: Array, start: Array, tolerance: float | Array
) -> newton.Minimum:
    """Minimises 1/2 |w_k|^2 + sum_i scale_ik max(0, 1 - sign_ik x_i w_k)^2 of each k.

    The answers are those of newton.minimise with ridge 1: a column ends where
    |gradient|^2 / 2, which is at least what its objective is above the minimum, is at
    most `tolerance` times the objective, or no step lowers the objective.

    Args:
      x: (n, d).
      sign: (n, c), 1 or -1.
      scale: (n, c), 0 where an example does not count.
      start: (d, c), where to begin.
    """
    d, c = start.shape
    given = (x, sign, scale, start, jnp.asarray(tolerance))
    w, objective, gap = ops.host.call(_columns, [(d, c), (1, c), (1, c)], *given)
    return newton.Minimum(w, objective, gap)


def _columns(x, sign, scale, start, tolerance):
    with _one_thread():
        if start.any():
            stages = (1.0,)
        else:
            # One system for all columns: at 0 every example is inside. Then by rising
            # scales, because of many steps at a large one most would be short.
            counts = scale.any(1)
            start = _solve(x[counts], sign[counts], scale[counts].max(1))
            stiff = np.max(scale * np.sum(x**2, 1)[:, None], initial=1.0)
            stages = tuple(
                STAGE ** -np.arange(int(np.log(stiff) / np.log(STAGE)))[::-1]
            )
        found = [
            _column(x, sign[:, k], scale[:, k], start[:, k], float(tolerance), stages)
            for k in range(start.shape[1])
        ]
    w, objective, gap = zip(*found, strict=True)
    return np.stack(w, 1), np.array([objective]), np.array([gap])


@functools.cache
def _libraries():
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


def _one_thread():
    """The systems are small: two threads wait for each other longer than they work."""
    return _libraries().limit(limits=1)


def _column(x, sign, scale, w, tolerance, stages):
    for stage in stages[:-1]:
        w, *_ = _newton(x, sign, stage * scale, w, ROUGH)
    return _newton(x, sign, scale, w, tolerance)


def _newton(x, sign, scale, w, tolerance):
    scores = x @ w
    for _ in range(STEPS):
        lack = np.where(scale > 0, np.maximum(1 - sign * scores, 0), 0)
        inside = lack > 0
        slope = w - x[inside].T @ (2 * scale * sign * lack)[inside]
        objective = 0.5 * w @ w + scale @ lack**2
        gap = 0.5 * slope @ slope
        if gap <= tolerance * objective:
            break
        step = _solve(x[inside], sign[inside], scale[inside]) - w
        along = x @ step
        length = _search(w, step, scores, along, sign, scale)
        if length == 0:
            break
        w, scores = w + length * step, scores + length * along
    return w, objective, gap


def _solve(x, sign, scale):
    """The minimum if exactly these examples (m, d) lie inside of the margin.

    `sign` is (m,), or (m, c) for several minima (d, c).
    """
    m, d = x.shape
    if m == 0:
        return np.zeros((d, *sign.shape[1:]))
    if m < d:
        system = x @ x.T
        system.flat[:: m + 1] += 0.5 / scale
        factor = scipy.linalg.cho_factor(system, overwrite_a=True, check_finite=False)
        return x.T @ scipy.linalg.cho_solve(factor, sign, check_finite=False)
    rooted = x * np.sqrt(2 * scale)[:, None]
    system = rooted.T @ rooted
    system.flat[:: d + 1] += 1
    factor = scipy.linalg.cho_factor(system, overwrite_a=True, check_finite=False)
    right = ((2 * scale * sign.T) @ x).T
    return scipy.linalg.cho_solve(factor, right, check_finite=False)


def _search(w, step, scores, along, sign, scale):
    """The length that minimises along the step: a root of its rising slope.

    Newton steps on that slope, which is linear between the lengths where an example
    crosses its margin; where one leaves the bracket, the middle of it.
    """
    first, square = w @ step, step @ step
    if square == 0:
        return 0.0
    low, high, length = 0.0, np.inf, 1.0
    for _ in range(SEARCHES):
        lack = np.maximum(1 - sign * (scores + length * along), 0)
        weight = 2 * scale * (lack > 0)
        slope = first + length * square - (weight * lack) @ (sign * along)
        if slope < 0:
            low = length
        else:
            high = length
        new = length - slope / (square + weight @ along**2)
        if abs(new - length) <= 1e-12 * length:
            break
        if not low < new < high:
            new = (low + high) / 2 if np.isfinite(high) else 2 * length
        length = new
    return length
