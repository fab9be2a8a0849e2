"""Transport plans with a penalty on classes or on a similarity graph.

argmin_P <P, cost> + regularisation Omega(P) + penalty(P), Omega(P) = sum P log P, over
the plans with given marginals (Courty, Flamary, Tuia and Rakotomamonjy, TPAMI 2017).
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import xlogy

from transfer_jax import ops
from transfer_jax.shallow import transport_plans
from transfer_jax.types import Array

SEARCHES = 12  # evaluations along a step, at most
LEAST = 1e-300  # lower bound of masses in logarithms
PRECISE = 1e-9  # tolerance of a plan, at most
FINEST = 1e-13  # the smallest tolerance of a plan, set by rounding


class Penalty(NamedTuple):
    """A convex function of plans, including its weight."""

    gradient: Callable[[Array], Array]  # (n, m) -> (n, m)
    # (plan, step) -> t -> first and second derivative of penalty(plan + t step)
    along: Callable[[Array, Array], Callable[[Array], tuple[Array, Array]]]


class Regularised(NamedTuple):
    """A plan, and the accuracy of its solver."""

    matrix: Array  # (n, m)
    gap: Array  # (), upper bound on the objective minus its minimum
    converged: Array  # (), whether all entropic plans have converged
    iterations: Array  # ()


def conditional_gradient(
    cost: Array,
    a: Array,
    b: Array,
    penalty: Penalty,
    regularisation: Array | float | None,
    *,
    tolerance: float,
    iterations: int,
) -> Regularised:
    """The plan that minimises <P, cost> + regularisation Omega(P) + penalty(P).

    Generalised conditional gradient (Courty et al. 2017; Rakotomamonjy, Flamary and
    Courty, arXiv:1510.06567): only the penalty is linearised, the remaining transport
    problem is solved, and the objective is minimised on the line to its solution Q.
    Because the objective is convex, the gap to the minimum is at most

        <cost + penalty'(P), P - Q> + regularisation (Omega(P) - Omega(Q)).

    The search ends when this bound is `tolerance`.

    Args:
      regularisation: None is conditional gradient without entropy, on the host.
    """
    reg = 0.0 if regularisation is None else regularisation
    # The gap is only as accurate as the solution of the linearised problem.
    inner = min(PRECISE, max(0.1 * tolerance, FINEST))

    def unfinished(state):
        return ~(state.gap <= tolerance) & (state.count < iterations)

    def advance(state):
        linear = cost + penalty.gradient(state.plan)
        if regularisation is None:
            target_plan, duals = transport_plans.exact_plan(linear, a, b), state.duals
            right = jnp.isfinite(target_plan).all()
        else:
            solution = ops.entropic_plan(
                linear, a, b, regularisation, start=state.duals, tolerance=inner
            )
            target_plan, duals = solution.matrix, (solution.source, solution.target)
            right = solution.error <= PRECISE
        step = target_plan - state.plan
        gap = reg * (_negentropy(state.plan) - _negentropy(target_plan))
        gap -= jnp.sum(linear * step)
        curvature = penalty.along(state.plan, step)
        constant = jnp.sum(cost * step)

        def slope(t):
            first, second = curvature(t)
            first += constant
            if regularisation is None:
                return first, second
            present = jnp.maximum(state.plan + t * step, LEAST)
            first += reg * jnp.sum(step * jnp.log(present))
            return first, second + reg * jnp.sum(step**2 / present)

        length = _search(slope)
        plan = state.plan + length * step
        return _State(plan, duals, gap, state.converged & right, state.count + 1)

    duals = jnp.zeros_like(a), jnp.zeros_like(b)
    none = jnp.array(jnp.inf, cost.dtype)
    state = _State(a[:, None] * b, duals, none, jnp.array(True), 0)
    state = lax.while_loop(unfinished, advance, state)
    converged = state.converged & ~jnp.isnan(state.gap)
    return Regularised(state.plan, state.gap, converged, state.count)


def group_lasso(one_hot: Array, weight: Array | float) -> Penalty:
    """weight sum_jc |P_(c, j)|_2, over the classes c within each column j.

    The L1-L2 class regularisation of Courty et al. (2017).

    Args:
      own: (n, c), 1 where a source example is of a class.
    """

    def squares(plan, other):
        return one_hot.T @ (plan * other)  # (c, m)

    def norm(x):
        return jnp.sqrt(jnp.maximum(x, LEAST))

    def gradient(plan):
        return weight * plan * (one_hot @ (1 / norm(squares(plan, plan))))

    def along(plan, step):
        constant, mixed = squares(plan, plan), squares(plan, step)
        pure = squares(step, step)

        def derivatives(t):
            length = norm(constant + t * (2 * mixed + t * pure))
            rise = mixed + t * pure
            curvature = pure / length - rise**2 / length**3
            return weight * jnp.sum(rise / length), weight * jnp.sum(curvature)

        return derivatives

    return Penalty(gradient, along)


def laplacian(
    xs: Array, xt: Array, graphs: tuple, weight: Array | float, share: Array | float
) -> Penalty:
    """weight (share tr(Y^T L_s Y) + (1 - share) tr(Z^T L_t Z)), Y = P x_t, Z = P^T x_s.

    It maps similar source examples to similar positions, and similar target examples
    receive mass from similar sources (Courty et al. 2017).

    Args:
      graphs: `neighbour_graph` of either domain.
    """
    source, target = (_laplacian(graph) for graph in graphs)

    def images(plan):
        return plan @ xt, plan.T @ xs

    def gradient(plan):
        y, z = images(plan)
        total = share * source(y) @ xt.T + (1 - share) * xs @ target(z).T
        return 2 * weight * total

    def along(plan, step):
        y, z = images(plan)
        dy, dz = images(step)
        ly, lz = share * source(dy), (1 - share) * target(dz)
        slope = 2 * weight * (jnp.sum(y * ly) + jnp.sum(z * lz))
        curvature = 2 * weight * (jnp.sum(dy * ly) + jnp.sum(dz * lz))
        return lambda t: (slope + t * curvature, curvature)

    return Penalty(gradient, along)


def neighbour_graph(x: Array, mask: Array, count: int) -> tuple[Array, Array]:
    """The `count` nearest neighbours of each example: indices and weights, (n, count).

    An edge of the graph has weight 1/2 for each direction in which its two examples are
    neighbours. Examples of mask 0 have no neighbours and are none.
    """
    chex.assert_rank([x, mask], [2, 1])
    count = min(count, x.shape[0] - 1)
    present = mask > 0
    pairs = present & ~jnp.eye(x.shape[0], dtype=bool)
    distance = jnp.where(pairs, ops.squared_distances(x, x), jnp.inf)
    near, index = lax.top_k(-distance, count)
    return index, jnp.where(jnp.isfinite(near) & present[:, None], 0.5, 0).astype(
        x.dtype
    )


def class_concave(
    cost: Array,
    a: Array,
    b: Array,
    one_hot: Array,
    regularisation: Array | float,
    weight: Array | float,
    *,
    iterations: int,
    offset: float,
) -> ops.EntropicPlan:
    """Majorisation of weight sum_jc (mass of class c in column j + offset)^(1/2).

    The penalty is concave. Each of the `iterations` replaces it by its tangent and
    solves an entropic problem (Courty, Flamary and Tuia, ECML 2014). The result has
    converged if all have.
    """

    def advance(count, plan):
        mass = one_hot.T @ plan.matrix + offset
        # The first problem has no penalty.
        tangent = jnp.where(count > 0, weight * 0.5, 0) / jnp.sqrt(mass)
        following = ops.entropic_plan(
            cost + one_hot @ tangent,
            a,
            b,
            regularisation,
            start=(plan.source, plan.target),
        )
        return following._replace(converged=plan.converged & following.converged)

    none = jnp.zeros((), cost.dtype)
    first = ops.EntropicPlan(
        jnp.zeros_like(cost),
        jnp.zeros_like(a),
        jnp.zeros_like(b),
        error=none,
        converged=jnp.array(True),
        iterations=0,
        steps=0,
    )
    return lax.fori_loop(0, iterations, advance, first)


class _State(NamedTuple):
    plan: Array  # (n, m)
    duals: tuple[Array, Array]  # (n,), (m,)
    gap: Array  # ()
    converged: Array  # ()
    count: Array  # ()


def _negentropy(plan):
    return jnp.sum(xlogy(plan, plan))


def _laplacian(graph):
    index, weight = graph
    n, count = index.shape
    degree = jnp.sum(weight, 1) + jnp.zeros(n, weight.dtype).at[index].add(weight)

    def product(x):
        near = degree[:, None] * x
        for k in range(count):
            w = weight[:, k, None]
            near -= w * x[index[:, k]]
            near = near.at[index[:, k]].add(-w * x)
        return near

    return product


def _search(slope) -> Array:
    """The minimum of a convex function of t in [0, 1], from its derivatives."""

    def unfinished(state):
        low, high, _, error, count = state
        return (error > 1e-3) & (high - low > 1e-12) & (count < SEARCHES)

    def advance(state):
        low, high, t, _, count = state
        first, second = slope(t)
        low = jnp.where(first < 0, t, low)
        high = jnp.where(first < 0, high, t)
        error = jnp.where((first <= 0) & (t == 1), 0, jnp.abs(first) / steep)
        newton = t - first / jnp.where(second > 0, second, 1)
        inside = (newton > low) & (newton < high) & (second > 0)
        following = jnp.where(inside, newton, (low + high) / 2)
        return low, high, jnp.where(error > 1e-3, following, t), error, count + 1

    steep = jnp.maximum(jnp.abs(slope(0.0)[0]), LEAST)
    one = jnp.ones_like(steep)
    solution = lax.while_loop(
        unfinished, advance, (0 * one, one, one, jnp.inf * one, 0)
    )
    return solution[2]
