"""Adaptation by optimal transport of the source onto the target.

Courty, Flamary, Tuia and Rakotomamonjy, "Optimal Transport for Domain Adaptation",
TPAMI 2017. A transport plan between the equally weighted examples of both domains maps
a source example to its barycentre, the weighted mean of the target examples that
receive its mass. The cost of a pair is its squared Euclidean distance divided by the
largest one; every `regularisation` and weight is relative to that. Labelled target
examples receive mass only from their own class.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax import ops
from transfer_jax.shallow import checks, transport_plans, transport_regularised
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array, Samples

GAP = 1e-8  # of objectives, in units of the largest cost


class Transport(NamedTuple):
    """The source examples and their images under the transport."""

    x: Array  # (n, d), source examples
    weight: Array  # (n,), of sum 1, 0 in padding
    barycentre: Array  # (n, d)
    # (), of the solver: the error of the marginals (entropic_transport) or the gap of
    # the objective (group_lasso_transport, laplacian_transport)
    residual: Array
    converged: Array  # (), whether all entropic plans have converged


def exact_transport() -> Shallow:
    """OT without regularisation: argmin_P <P, cost>, by POT's network simplex.

    POT runs on the host, inside the compiled fit. The optimal plan need not be unique.
    """

    def solve(problem, source, target):
        del source, target
        plan = transport_plans.exact_plan(problem.cost, problem.a, problem.b)
        return plan, jnp.zeros((), plan.dtype), jnp.array(True)

    return _transport(solve)


def entropic_transport(regularisation: Array | float) -> Shallow:
    """OT with entropy: argmin_P <P, cost> + regularisation sum P log P.

    Sinkhorn's and then Newton's algorithm, until the errors of the marginals sum to
    1e-9; see `ops.entropic_plan`. The cost of the plan is above the least one by at
    most regularisation log(n m). If a regularisation is so small that the plan has not
    converged, `converged` is false and the pipeline's fit warns.

    Args:
      regularisation: in units of the largest cost.

    Raises:
      ValueError: a regularisation that is not positive.
    """
    checks.positive('regularisation', regularisation)

    def solve(problem, source, target):
        del source, target
        plan = ops.entropic_plan(problem.cost, problem.a, problem.b, regularisation)
        return plan.matrix, plan.error, plan.converged

    return _transport(solve)


def group_lasso_transport(
    regularisation: Array | float,
    group_regularisation: Array | float,
    *,
    classes: int,
    iterations: int = 100,
    tolerance: float = GAP,
) -> Shallow:
    """OT with entropy and a group lasso over classes, OT-GL.

    argmin_P <P, cost> + regularisation sum P log P
        + group_regularisation sum_jc |P_(c, j)|_2

    so that a target example receives mass from few classes; P_(c, j) is the mass that
    example j receives from source examples of class c. The objective is convex, and the
    plan is its minimum up to `tolerance`, unless `iterations` of generalised
    conditional gradient end first. (POT 0.9 leaves the entropy out of its line search
    and stops above the minimum.) Unlabelled source examples belong to no group.

    Args:
      tolerance: of the objective, in units of the largest cost.

    Raises:
      ValueError: a regularisation that is not positive, a negative
        group_regularisation.
    """
    checks.positive('regularisation', regularisation)
    checks.not_negative('group_regularisation', group_regularisation)

    def solve(problem, source, target):
        del target
        one_hot = _classes(source, classes, problem.cost.dtype)
        solution = transport_regularised.conditional_gradient(
            problem.cost,
            problem.a,
            problem.b,
            transport_regularised.group_lasso(one_hot, group_regularisation),
            regularisation,
            tolerance=tolerance,
            iterations=iterations,
        )
        return solution.matrix, solution.gap, solution.converged

    return _transport(solve)


def class_transport(
    regularisation: Array | float,
    group_regularisation: Array | float,
    *,
    classes: int,
    iterations: int = 10,
    offset: float = 1e-3,
) -> Shallow:
    """OT with entropy and a concave penalty over classes, OT-LpLq.

    argmin_P <P, cost> + regularisation sum P log P
        + group_regularisation sum_jc (sum of P_(c, j) + offset)^(1/2)

    by `iterations` of majorisation-minimisation (Courty, Flamary and Tuia, ECML 2014),
    the first without the penalty. Their number, exponent and offset are those of POT.
    The minimum is local. A column has a total mass of 1 / m; with many target examples
    the offset is no longer small relative to it, and the penalty becomes almost linear.
    Unlabelled source examples belong to no class.

    Raises:
      ValueError: a regularisation or offset that is not positive, a negative
        group_regularisation, no iteration.
    """
    checks.positive('regularisation', regularisation)
    checks.not_negative('group_regularisation', group_regularisation)
    checks.positive('iterations', iterations)
    checks.positive('offset', offset)

    def solve(problem, source, target):
        del target
        solution = transport_regularised.class_concave(
            problem.cost,
            problem.a,
            problem.b,
            _classes(source, classes, problem.cost.dtype),
            regularisation,
            group_regularisation,
            iterations=iterations,
            offset=offset,
        )
        return solution.matrix, solution.error, solution.converged

    return _transport(solve)


def laplacian_transport(
    graph_regularisation: Array | float,
    regularisation: Array | float | None = None,
    *,
    source_share: Array | float = 0.5,
    neighbours: int = 3,
    iterations: int = 100,
    tolerance: float = GAP,
) -> Shallow:
    """OT that preserves neighbourhoods, OT-Laplace.

    argmin_P <P, cost> + regularisation sum P log P + graph_regularisation (
        source_share tr(x_t^T P^T L_s P x_t)
        + (1 - source_share) tr(x_s^T P L_t P^T x_s))

    with the Laplacians of the graphs of nearest neighbours; features are in units of
    the square root of the largest cost. It is solved by generalised conditional
    gradient. The inner problem is entropic, or without `regularisation` exact, as in
    POT; then it runs on the host. Neighbours are by features only, of any class, as in
    POT.

    Args:
      neighbours: of each example.
      tolerance: of the objective, in units of the largest cost.

    Raises:
      ValueError: a negative graph_regularisation, a source_share outside [0, 1], a
        regularisation that is not positive, or no neighbours.
    """
    checks.not_negative('graph_regularisation', graph_regularisation)
    checks.not_negative('source_share', source_share)
    checks.not_negative('1 - source_share', 1 - source_share)
    checks.positive('neighbours', neighbours)
    if regularisation is not None:
        checks.positive('regularisation', regularisation)

    def solve(problem, source, target):
        root = jnp.sqrt(problem.scale)
        xs, xt = (
            transport_plans.present(source) / root,
            transport_plans.present(target) / root,
        )
        graphs = tuple(
            transport_regularised.neighbour_graph(x, part.mask, neighbours)
            for x, part in ((xs, source), (xt, target))
        )
        solution = transport_regularised.conditional_gradient(
            problem.cost,
            problem.a,
            problem.b,
            transport_regularised.laplacian(
                xs, xt, graphs, graph_regularisation, source_share
            ),
            regularisation,
            tolerance=tolerance,
            iterations=iterations,
        )
        return solution.matrix, solution.gap, solution.converged

    return _transport(solve)


def nearest(x: Array, weight: Array, queries: Array) -> Array:
    """The first nearest row of x (n, d), of weight > 0, to queries (m, d) -> (m,)."""
    present = (weight > 0)[:, None]
    distance = ops.squared_distances(jnp.where(present, x, 0), queries)
    return ops.argmax_first(jnp.where(present, -distance, -jnp.inf), 0)


def _transport(
    solve: Callable[
        [transport_plans.Problem, Samples, Samples], tuple[Array, Array, Array]
    ],
) -> Shallow:
    def fit(key, source, target):
        del key
        problem = transport_plans.transport_problem(source, target)
        plan, residual, converged = solve(problem, source, target)
        present = problem.a > 0
        share = plan / jnp.where(present, jnp.sum(plan, 1), 1)[:, None]
        barycentre = share @ transport_plans.present(target)
        barycentre = jnp.where(present[:, None], barycentre, source.x)
        return Transport(source.x, problem.a, barycentre, residual, converged)

    return Shallow(fit, _map_source, unchanged, cautions=transport_plans.cautions)


def _map_source(fitted, x):
    """Barycentres of the fitted examples; others are displaced like their nearest one.

    (Courty et al. 2017; Ferradans et al., SIAM Journal on Imaging Sciences 2014.)
    """

    def displaced():
        near = nearest(fitted.x, fitted.weight, x)  # [near] fails on NumPy arrays
        return jnp.take(fitted.barycentre, near, 0) + (x - jnp.take(fitted.x, near, 0))

    if x.shape != fitted.x.shape:
        return displaced()
    # Equal examples may have different barycentres, which distances cannot distinguish.
    same = jnp.all(x == fitted.x)
    return lax.cond(same, lambda: fitted.barycentre, displaced)


def _classes(source, classes, dtype):
    """(n, c) one-hot classes, 0 for padding and unlabelled examples."""
    label = jnp.where(source.mask > 0, source.label, -1)
    return jax.nn.one_hot(label, classes, dtype=dtype)
