"""Linear SVMs with squared hinge loss, solved exactly on the host.

The objective is quadratic while the set of examples inside the margin is fixed. A
Newton step minimises it for one such set, and few steps find the final set (Keerthi and
DeCoste, JMLR 2005). The size of the linear system is the number of features or of
examples inside the margin, whichever is smaller. XLA, with its fixed shapes, would
always have to solve the largest system.
"""

import functools

import jax.numpy as jnp
import numpy as np
import scipy.linalg

from transfer_jax import ops
from transfer_jax.shallow import newton
from transfer_jax.types import Array

STEPS = 100  # at most
STAGE, ROUGH = 30.0, 1e-2  # ratio of successive scales, and their tolerance
SEARCHES = 30  # evaluations of the slope along a step, at most


def minimise(
    x: Array, sign: Array, scale: Array, start: Array, tolerance: float | Array
) -> newton.Minimum:
    """Minimises 1/2 |w_k|^2 + sum_i scale_ik max(0, 1 - sign_ik x_i w_k)^2 for each k.

    The results are those of newton.minimise with ridge 1. A column ends when
    |gradient|^2 / 2, an upper bound on its gap to the minimum, is at most `tolerance`
    times the objective, or when no step lowers the objective.

    Args:
      x: (n, d).
      sign: (n, c), 1 or -1.
      scale: (n, c), 0 where an example does not count.
      start: (d, c), the starting point.
    """
    d, c = start.shape
    arguments = (x, sign, scale, start, jnp.asarray(tolerance))
    w, objective, gap = ops.host.call(_columns, [(d, c), (1, c), (1, c)], *arguments)
    return newton.Minimum(w, objective, gap)


def _columns(x, sign, scale, start, tolerance):
    with _one_thread():
        if start.any():
            stages = (1.0,)
        else:
            # At 0 every example is inside the margin: one system for all columns.
            # Then increase the scale in stages, since at a large scale most steps
            # would be short.
            counts = scale.any(1)
            start = _solve(x[counts], sign[counts], scale[counts].max(1))
            stiff = np.max(scale * np.sum(x**2, 1)[:, None], initial=1.0)
            stages = tuple(
                STAGE ** -np.arange(int(np.log(stiff) / np.log(STAGE)))[::-1]
            )
        solutions = [
            _column(x, sign[:, k], scale[:, k], start[:, k], float(tolerance), stages)
            for k in range(start.shape[1])
        ]
    w, objective, gap = zip(*solutions, strict=True)
    return np.stack(w, 1), np.array([objective]), np.array([gap])


@functools.cache
def _libraries():
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


def _one_thread():
    """For small systems the overhead of several threads exceeds their gain."""
    return _libraries().limit(limits=1)


def _column(x, sign, scale, w, tolerance, stages):
    for stage in stages[:-1]:
        w, *_ = _newton(x, sign, stage * scale, w, ROUGH)
    return _newton(x, sign, scale, w, tolerance)


def _newton(x, sign, scale, w, tolerance):
    scores = x @ w
    for _ in range(STEPS):
        hinge = np.where(scale > 0, np.maximum(1 - sign * scores, 0), 0)
        inside = hinge > 0
        slope = w - x[inside].T @ (2 * scale * sign * hinge)[inside]
        objective = 0.5 * w @ w + scale @ hinge**2
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
    rhs = ((2 * scale * sign.T) @ x).T
    return scipy.linalg.cho_solve(factor, rhs, check_finite=False)


def _search(w, step, scores, along, sign, scale):
    """The length that minimises along the step: the root of its increasing slope.

    Newton's method on the slope, which is piecewise linear, with kinks where an example
    crosses its margin. A step that leaves the bracket is replaced by bisection.
    """
    first, square = w @ step, step @ step
    if square == 0:
        return 0.0
    low, high, length = 0.0, np.inf, 1.0
    for _ in range(SEARCHES):
        hinge = np.maximum(1 - sign * (scores + length * along), 0)
        weight = 2 * scale * (hinge > 0)
        slope = first + length * square - (weight * hinge) @ (sign * along)
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
