"""Entropic optimal transport between two weighted samples."""

import warnings
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.ops import precision, semi_dual, sinkhorn
from transfer_jax.types import Array

ITERATIONS = 2_000  # of Sinkhorn's algorithm, at most
NEWTON = 200  # steps of Newton's method after them, at most


class EntropicPlan(NamedTuple):
    """A plan, its potentials, and the state of the solver."""

    matrix: Array  # (n, m), with exactly the given marginals
    source: Array  # (n,) dual potentials, in the units of the cost
    target: Array  # (m,)
    # (), total error of the marginals before they were made exact, as a share of the
    # mass
    error: Array
    converged: Array  # (), whether the error is at most the tolerance
    iterations: Array  # (), of Sinkhorn's algorithm
    steps: Array  # (), of Newton's


def entropic_plan(
    cost: Array,
    a: Array,
    b: Array,
    regularisation: Array | float,
    *,
    start: tuple[Array, Array] | None = None,
    tolerance: float | None = None,
    iterations: int = ITERATIONS,
    newton: int = NEWTON,
) -> EntropicPlan:
    """argmin_P <P, cost> + regularisation sum_ij P_ij (log P_ij - 1).

    Over the plans (n, m) with row sums a (n,) and column sums b (m,), which have equal
    totals. Rows and columns of weight 0 are 0. <P, cost> exceeds the least cost of a
    plan by at most regularisation log(n m) times the mass.

    Sinkhorn's algorithm (Cuturi 2013), with P_ij = u_i exp((f_i + g_j - cost_ij) /
    regularisation) v_j. Iterations are products with the kernel exp(...). Before the
    scalings u and v overflow, they are absorbed into the potentials f and g, followed
    by an iteration on logarithms (Schmitzer 2019, section 3.1). A regularisation below
    1/200 of the range of the costs is approached from there, divided by 4 each time
    (section 3.2). Iterations are over-relaxed (Thibault et al. 2021; Lehmann et al.
    2022) with the factor of successive over-relaxation for the observed rate, reset to
    1 if the error grows. Where the iterations have not converged, the potentials of the
    smaller side are found by Newton's method on the semi-dual (Cuturi and Peyré 2016),
    damped as by Levenberg and Marquardt; one step costs the solution of a linear
    system of that size.

    It ends when the errors of the marginals sum to `tolerance`. The remaining error is
    removed as in Altschuler et al. (2017, algorithm 2). If both iterations end first,
    `converged` is false and, outside of jit, there is a warning; so it is where an
    input is NaN.

    The matrix is differentiable in all four arrays, by the implicit function theorem
    and as exactly as it has converged. The potentials are constants in gradients.

    Args:
      start: initial potentials, from a similar problem.
      tolerance: as a share of the mass; None is 1e-9 in float64 and 1e-5 in float32.

    Raises:
      ValueError: the regularisation is not positive (a traced one is not checked).
    """
    chex.assert_rank([cost, a, b], [2, 1, 1])
    chex.assert_shape(cost, (len(a), len(b)))
    cost, a, b = (jnp.asarray(x) for x in (cost, a, b))
    dtype = jnp.result_type(cost, a, b, jnp.float32)
    cost, a, b = (x.astype(dtype) for x in (cost, a, b))
    if tolerance is None:
        tolerance = 1e-9 if dtype == jnp.float64 else 1e-5
    _check_positive(regularisation)
    limits = float(tolerance), iterations, newton
    plan = _solve(cost, a, b, jnp.asarray(regularisation, dtype), start, limits)
    constants = jax.tree.map(lax.stop_gradient, plan[1:])
    plan = EntropicPlan(plan.matrix, *constants)
    if not isinstance(plan.converged, jax.core.Tracer) and not plan.converged:
        warnings.warn(
            'the entropic transport plan has not converged: its marginals were wrong '
            f'by {float(plan.error):.1e} of the mass. Choose a larger regularisation, '
            'more iterations, or the exact plan',
            stacklevel=2,
        )
    return plan


def _check_positive(regularisation) -> None:
    if isinstance(regularisation, jax.core.Tracer):
        return
    if not float(regularisation) > 0:
        raise ValueError(
            f'regularisation is {regularisation}: give a positive number, or use the '
            'exact plan'
        )


def round_to_marginals(plan: Array, a: Array, b: Array) -> Array:
    """A plan with exactly the marginals a, b, near one with approximately these.

    Rows and then columns with too much mass are scaled down; the missing mass is added
    as a product (Altschuler, Weed and Rigollet, NIPS 2017, algorithm 2).
    """
    plan *= jnp.minimum(semi_dual.ratio(a, jnp.sum(plan, 1)), 1)[:, None]
    plan *= jnp.minimum(semi_dual.ratio(b, jnp.sum(plan, 0)), 1)
    rows, columns = a - jnp.sum(plan, 1), b - jnp.sum(plan, 0)
    missing = jnp.sum(rows)
    return plan + jnp.where(
        missing > 0, jnp.maximum(rows, 0)[:, None], 0
    ) * jnp.maximum(columns, 0) / jnp.where(missing > 0, missing, 1)


def _forward(cost, a, b, regularisation, start, limits):
    plan = _converge(cost, a, b, regularisation, start, limits)
    return plan, (plan.matrix, cost, a, b, regularisation, start)


@precision.full_precision
def _backward(limits, residuals, cotangent):
    """The gradient of <G, P> where P satisfies its marginals.

    d log P_ij = (df_i + dg_j - dcost_ij) / regularisation, with df and dg such that the
    marginals change by da and db.
    """
    del limits
    plan, cost, a, b, regularisation, start = residuals
    pull = cotangent.matrix * plan / regularisation
    rows, columns = jnp.sum(pull, 1), jnp.sum(pull, 0)
    share = semi_dual.ratio(plan, a[:, None])
    # Directions that the plan does not determine (a constant, parts of the plan with
    # no mass between them) are not pulled at, so a small ridge leaves them at 0.
    ridge = 100 * jnp.finfo(plan.dtype).eps
    y = semi_dual.schur_solve(share, plan, b, ridge, columns - share.T @ rows)
    x = semi_dual.ratio(rows - plan @ y, a)
    of_cost = plan * (x[:, None] + y) - pull
    of_regularisation = -jnp.sum(of_cost * cost) / regularisation
    none = jax.tree.map(jnp.zeros_like, start)
    return of_cost, regularisation * x, regularisation * y, of_regularisation, none


def _converge(cost, a, b, regularisation, start, limits):
    tolerance, iterations, newton = limits
    if len(a) < len(b):  # Newton's method solves for the potentials of the columns
        turned = _converge(
            cost.T, b, a, regularisation, None if start is None else start[::-1], limits
        )
        return turned._replace(
            matrix=turned.matrix.T, source=turned.target, target=turned.source
        )
    total = jnp.sum(a)
    tolerance = tolerance * total
    state = sinkhorn.iterate(
        cost, a, b, regularisation, start, tolerance=tolerance, iterations=iterations
    )
    f, g = sinkhorn.potentials(state)
    matrix = state.u[:, None] * state.kernel * state.v
    end = semi_dual.climb(
        cost,
        a,
        b,
        regularisation,
        (matrix, f, g, state.error),
        tolerance=tolerance,
        steps=newton,
    )
    return EntropicPlan(
        round_to_marginals(end.plan, a, b),
        end.f,
        end.g,
        end.error / total,
        end.error <= tolerance,
        state.count,
        end.count,
    )


_solve = jax.custom_vjp(_converge, nondiff_argnums=(5,))
_solve.defvjp(_forward, _backward)
