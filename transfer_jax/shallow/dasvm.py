"""DASVM: an SVM moved from source to target (Bruzzone and Marconcini, TPAMI 2010)."""

import math
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import ops
from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow import checks, kernel_machine
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array


class DASVM(NamedTuple):
    """The final machine of each class."""

    machine: kernel_machine.KernelMachine
    iterations: Array  # (c,), number of trainings after the first
    converged: Array  # (c,), False if the search stopped for another reason


def dasvm(
    classes: int,
    *,
    kernel: Kernel | None = ops.linear_kernel,
    cost: float = 1.0,
    start: float = 0.1,
    growth: int = 10,
    rho: int | None = None,
    share: float = 0.03,
    iterations: int = 200,
) -> Shallow:
    """Replaces source examples by pseudo-labelled target examples, step by step.

    For each class against the rest, a machine trained on the source labels target
    examples by its sign (Bruzzone and Marconcini, TPAMI 32(5), 2010). Every iteration
    uses the values f of the current machine in three steps and then trains the next
    machine:

    - among the target examples in the margin without a label, the `rho` nearest to
      f = 1 and the `rho` nearest to f = -1 get the label of their side;
    - target examples whose label no longer equals the sign of f lose it;
    - source examples are removed: those with the largest f, as many as got the label
      1, and those with the smallest f, as many as got -1; `rho` of each if none did.

    Iteration i weights the hinge of a remaining source example by
    max(C', C - (C - C') (i / growth)^2), and that of a target example labelled k
    iterations ago by min(C, C' + (C - C') (k / growth)^2), with C = `cost` and
    C' = `start` * C. The search has converged when no source example remains and at
    most a `share` of the target gains or loses a label. Otherwise it ends after
    `iterations`, or when the next training set would have only one side.

    Target examples given with a label are used throughout at cost C; no other target
    labels are used. The paper chooses kernel, costs and rho by circular validation,
    which is not included here; the defaults were set without data. Padding does not
    count, and a class without any example is never predicted. The machines are
    LIBSVM's, so the fit is not jitted.

    Args:
      kernel: as in `kernel_svm`; None is a Gaussian of the median width of both
        domains.
      rho: 5 % of the target, rounded up, by default.

    Raises:
      ValueError: a hyper-parameter outside its range.
    """
    for name, value in (('cost', cost), ('start', start), ('growth', growth)):
        checks.positive(name, value)
    if rho is not None:
        checks.positive('rho', rho)
    checks.not_negative('share', share)
    checks.not_negative('iterations', iterations)
    if start > 1:
        raise ValueError(f'start {start}: must be at most 1, a share of the cost')

    def fit(key, source, target):
        del key
        chex.assert_rank([source.x, source.label, source.mask], [2, 1, 1])
        chex.assert_rank([target.x, target.label, target.mask], [2, 1, 1])
        xs, ys = _rows(source, np.asarray(source.label) >= 0)
        xl, yl = _rows(target, np.asarray(target.label) >= 0)
        xu, _ = _rows(target, np.asarray(target.label) < 0)
        if not len(ys) + len(yl):
            raise ValueError('dasvm: no labelled examples')
        x = np.concatenate([xs, xl, xu])
        values, variance = kernel_machine.gram(kernel, x)
        step = math.ceil(0.05 * len(xu)) if rho is None else rho
        plan = _Plan(cost, start * cost, growth, step, share, iterations)
        label = np.concatenate([ys, yl])
        machines = [
            _adapt(values, np.where(label == c, 1, -1), len(ys), plan)
            if (label == c).any()
            else (None, 0, True)
            for c in range(classes)
        ]
        parts, counts, converged = zip(*machines, strict=True)
        machine = kernel_machine.assemble(x, list(parts), variance)
        with jax.enable_x64(True):
            return DASVM(machine, jnp.asarray(counts), jnp.asarray(converged))

    def predict(fitted, x):
        chex.assert_rank(x, 2)
        return kernel_machine.scores(kernel, fitted.machine, x)

    return Shallow(fit, unchanged, unchanged, predict=predict, host=True)


class _Plan(NamedTuple):
    high: float
    low: float
    growth: int
    rho: int
    share: float
    iterations: int

    def falling(self, i):
        return self.high - (self.high - self.low) * min(i / self.growth, 1) ** 2

    def rising(self, k):
        done = np.minimum(k / self.growth, 1)
        return self.low + (self.high - self.low) * done**2


def _rows(samples, chosen) -> tuple[np.ndarray, np.ndarray]:
    chosen = chosen & (np.asarray(samples.mask) > 0)
    x = np.asarray(samples.x, np.float64)[chosen]
    return x, np.asarray(samples.label)[chosen]


def _adapt(values, sign, sources, plan):
    """((coefficients (n,), bias), iterations, converged) of one class and the rest.

    The rows of `values` (n, n) are the source, labelled target and unlabelled target
    examples; `sign` is the label of the first two.
    """
    n, fixed = len(values), len(sign)
    side = np.concatenate([sign, np.zeros(n - fixed, int)])  # 0: without a label
    age = np.zeros(n, int)
    few = math.ceil(plan.share * (n - fixed))
    is_source, is_free = np.arange(n) < sources, np.arange(n) >= fixed

    def train(i):
        rows = np.flatnonzero(side)
        bound = np.full(n, plan.high)
        bound[is_source] = plan.falling(i)
        bound[is_free] = plan.rising(age[is_free])
        coefficient = np.zeros(n)
        coefficient[rows], bias = kernel_machine.solve(
            values[np.ix_(rows, rows)], side[rows], bound[rows]
        )
        return coefficient, bias

    machine = train(0)
    for i in range(plan.iterations):
        f = values @ machine[0] + machine[1]
        in_margin = is_free & (side == 0) & (np.abs(f) <= 1)
        up = _smallest(-f, in_margin & (f >= 0), plan.rho)
        down = _smallest(f, in_margin & (f < 0), plan.rho)
        gained = len(up) + len(down)
        lost = np.flatnonzero(is_free & (side * f < 0))
        remaining = is_source & (side != 0)
        if not remaining.any() and max(gained, len(lost)) <= few:
            return machine, i, True
        tops, bottoms = (len(up), len(down)) if gained else (plan.rho, plan.rho)
        removed = [_smallest(-f, remaining, tops), _smallest(f, remaining, bottoms)]
        age += 1
        side[lost] = 0
        side[np.concatenate(removed)] = 0
        side[up], side[down] = 1, -1
        age[up] = age[down] = 0
        if not ((side > 0).any() and (side < 0).any()):
            return machine, i, False
        machine = train(i + 1)
    return machine, plan.iterations, False


def _smallest(values, chosen, count) -> np.ndarray:
    """Indices of the `count` smallest values among the chosen."""
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(values[rows], kind='stable')[:count]]
