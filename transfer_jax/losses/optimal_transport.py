"""Losses by optimal transport between two batches."""

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import logsumexp

from transfer_jax import ops
from transfer_jax.types import Array

ITERATIONS = 100  # of Sinkhorn's algorithm where it is unrolled


def jdot_cost(
    source: Array,
    target: Array,
    label: Array,
    logits: Array,
    *,
    feature_weight: float,
    label_weight: float,
) -> Array:
    """What it costs to move source example i to target example j, -> (n, m).

    feature_weight ||s_i - t_j||^2 + label_weight CE(softmax(logits_j), label_i)

    (Damodaran et al. 2018, eq. 6).

    Args:
      source: (n, d) features.
      target: (m, d) features.
      label: (n,) of the source.
      logits: (m, c) of the target.
    """
    chex.assert_rank([source, target, label, logits], [2, 2, 1, 2])
    log_p = jax.nn.log_softmax(
        logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    )
    misfit = -log_p.T[label]
    distances = ops.squared_distances(source, target)
    return feature_weight * distances + label_weight * misfit


def transport_plan(cost: Array, *, epsilon: float = 0.05) -> Array:
    """Entropic plan between uniform weights, (n, m) -> (n, m), of sum 1.

    argmin_P <P, cost> - reg H(P), with reg = epsilon * mean(cost), by Sinkhorn's
    algorithm (Cuturi 2013) in ott-jax, until the marginals are right to 1e-4 or for 500
    iterations. Not to be differentiated: see `unrolled_plan`.
    """
    from ott.geometry import geometry  # two seconds: only who uses it pays
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import sinkhorn

    chex.assert_rank(cost, 2)
    geom = geometry.Geometry(cost_matrix=cost / _scale(cost), epsilon=epsilon)
    solve = sinkhorn.Sinkhorn(threshold=1e-4, max_iterations=500)
    return lax.stop_gradient(solve(linear_problem.LinearProblem(geom)).matrix)


def unrolled_plan(cost: Array, *, epsilon: float = 0.05) -> Array:
    """`transport_plan` by 100 iterations that can be differentiated.

    reg is a constant in gradients. The rows have their sums exactly, the columns as far
    as it converged. (The implicit derivative of ott-jax 0.6 does not run beside lineax
    0.1, and that of its unrolled iterations misses finite differences.)
    """
    chex.assert_rank(cost, 2)
    n, m = cost.shape
    score = -cost / (epsilon * _scale(cost))

    def iterate(potentials, _):
        of_rows, _ = potentials
        of_columns = -logsumexp(score + of_rows[:, None], axis=0) - jnp.log(m)
        of_rows = -logsumexp(score + of_columns, axis=1) - jnp.log(n)
        return (of_rows, of_columns), None

    zero = jnp.zeros(n, score.dtype), jnp.zeros(m, score.dtype)
    # Its gradient computes the iterations again: to keep them takes far more memory.
    (of_rows, of_columns), _ = lax.scan(
        jax.checkpoint(iterate), zero, length=ITERATIONS
    )
    return jnp.exp(score + of_rows[:, None] + of_columns)


def transport_cost(
    cost: Array, *, epsilon: float = 0.05, through: bool = False
) -> Array:
    """<plan, cost> with the entropic plan of this cost, (n, m) -> ().

    Args:
      through: differentiate the plan too. By default it is a constant, as in the
        alternating scheme of Damodaran et al. (2018, section 3.2).
    """
    if through:
        return jnp.sum(unrolled_plan(cost, epsilon=epsilon) * cost)
    plan = transport_plan(lax.stop_gradient(cost), epsilon=epsilon)
    return jnp.sum(plan * cost)


def _scale(cost):
    """The mean cost, as a constant; 1 where nothing costs anything."""
    scale = lax.stop_gradient(jnp.mean(cost))
    return jnp.where(scale > 0, scale, 1.0)
