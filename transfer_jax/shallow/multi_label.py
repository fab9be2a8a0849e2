"""One-vs-rest SVMs for examples of several labels, such as images of PASCAL VOC."""

import functools
from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp

from transfer_jax.shallow import linear
from transfer_jax.types import Array


def multi_label_svm(
    x: Array,
    label: Array,
    costs: Sequence[float],
    *,
    tolerance: float = linear.TOLERANCE,
) -> linear.Linear:
    """An SVM with squared hinge loss for each class, in a path over the costs.

    For class k minimises 1/2 |w|^2 + C sum_i max(0, 1 - y_ik f(x_i))^2 over the
    examples that count for it, as linear_svm does for one label each.

    Args:
      x: (n, d).
      label: (n, c), 1 for an example of the class, 0 for another, -1 for one that does
        not count for it, as data.voc.multi_hot gives them.
      costs: in ascending order.

    Raises:
      ValueError: a cost that is not positive.
    """
    chex.assert_rank([x, label], 2)
    for cost in costs:
        if not cost > 0:
            raise ValueError(f'cost {cost}: must be positive')
    with jax.enable_x64(True):
        costs = jnp.asarray(costs, jnp.float64)
        return _path(jnp.asarray(x, jnp.float64), label, costs, tolerance)


@functools.partial(jax.jit, static_argnums=3)
def _path(x, label, costs, tolerance):
    positive = (label > 0).astype(x.dtype)
    problem = linear.KINDS['svm'](x, positive, jnp.ones(len(x), x.dtype), label >= 0)

    def solve(start, cost):
        solution = problem.minimise(cost, start, tolerance)
        weight, bias = problem.back(solution.w)
        converged = jnp.all(solution.gap <= tolerance * solution.objective)
        total = jnp.sum(solution.objective)
        return solution.w, linear.Linear(weight, bias, total, converged)

    start = jnp.zeros((problem.z.shape[1], label.shape[1]), x.dtype)
    return jax.lax.scan(solve, start, costs)[1]
