"""Newton's method for the semi-dual of entropic optimal transport."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.ops import precision, sinkhorn
from transfer_jax.types import Array

DAMPING = 1e-6  # at first
STUCK = 100.0  # damping at which only rounding can be what no step improves


class Climb(NamedTuple):
    """A plan, its potentials, and the state of the search."""

    plan: Array  # (n, m), with exact row sums
    f: Array  # (n,)
    g: Array  # (m,)
    value: Array  # (), of the semi-dual
    error: Array  # ()
    damping: Array  # ()
    count: Array  # ()


@precision.full_precision
def climb(
    cost: Array,
    a: Array,
    b: Array,
    regularisation: Array,
    first: tuple[Array, Array, Array, Array],
    *,
    tolerance: Array | float,
    steps: int,
) -> Climb:
    """Maximises b g - regularisation sum_i a_i log sum_j exp((g_j - cost_ij) / reg).

    The gradient is b minus the column sums of the plan with exact rows, and minus the
    second derivative is their Schur complement (diag(c) - P^T diag(1/a) P) / reg.

    Args:
      first: a plan (n, m), its potentials (n,) and (m,), and the error of its
        marginals; returned where this is at most `tolerance`.
    """
    tiny = jnp.finfo(cost.dtype).eps

    def unfinished(state):
        more = (state.count <= steps) & (state.damping <= STUCK)
        return ~(state.error <= tolerance) & more

    def advance(state):
        begins = state.count == 0  # by making the sums of rows exact
        missing = b - jnp.sum(state.plan, 0)
        share = ratio(state.plan, a[:, None])
        step = schur_solve(share, state.plan, b, state.damping, missing)
        step = jnp.where(begins, 0, regularisation * step)
        promise = jnp.sum(step * missing) / 2
        g = state.g + step
        f = sinkhorn.log_step(g, cost, a, b, regularisation)
        present = (a > 0)[:, None] & (b > 0)
        exponent = (f[:, None] + g - cost) / regularisation
        plan = jnp.where(present, jnp.exp(exponent), 0)
        value = a @ f + b @ g
        error = jnp.sum(jnp.abs(jnp.sum(plan, 0) - b))
        error += jnp.sum(jnp.abs(jnp.sum(plan, 1) - a))
        # Near the maximum, differences of values are rounding.
        rises = value - state.value >= 0.1 * promise
        rises &= promise > 10 * tiny * jnp.abs(value)
        good = rises | (error < 0.9 * state.error)
        good = jnp.isfinite(error) & (good | begins)
        damping = jnp.where(begins, 1, 0.1) * state.damping
        damping = jnp.where(good, jnp.maximum(damping, tiny / 10), 10 * state.damping)
        better = plan, f, g, value, error
        better = jax.tree.map(lambda x, y: jnp.where(good, x, y), better, state[:5])
        return Climb(*better, damping, state.count + 1)

    zero = jnp.zeros((), cost.dtype)
    plan, f, g, error = first
    start = Climb(plan, f, g, zero, error, zero + DAMPING, 0)
    return lax.while_loop(unfinished, advance, start) if steps else start


@precision.full_precision
def schur_solve(
    share: Array, plan: Array, b: Array, ridge: Array | float, right: Array
) -> Array:
    """(diag(c) - P^T diag(1/a) P + ridge diag(b))^-1 right, c the column sums of P.

    Where b is 0 the solution is 0.

    Args:
      share: (n, m), diag(1/a) P.
      plan: (n, m), P.
      right: (m,).
    """
    columns = jnp.sum(plan, 0)
    diagonal = jnp.where(b > 0, columns + ridge * jnp.maximum(columns, b), 1)
    schur = jnp.diag(diagonal) - plan.T @ share
    factor = jax.scipy.linalg.cho_factor(schur)
    return jax.scipy.linalg.cho_solve(factor, jnp.where(b > 0, right, 0))


def ratio(x: Array, y: Array) -> Array:
    """x / y, and x where y is 0."""
    return x / jnp.where(y > 0, y, 1)
