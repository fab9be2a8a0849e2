"""Proportions of a mixture whose components are known."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from transfer_jax.types import Array

STEPS = 100  # at most
BACK = 0.95  # share of the way to the boundary that a step may go


class Proportions(NamedTuple):
    """The maximum, and how near."""

    share: Array  # (k,), they sum to 1
    gap: Array  # (), what the mean logarithm is below its maximum, at most


class _State(NamedTuple):
    share: Array  # (k,), > 0, sums to 1 at the minimum
    dual: Array  # (k,), > 0
    gap: Array
    count: Array


def fit(density: Array, weight: Array, *, tolerance: float) -> Proportions:
    """Maximises the weighted mean of log (density share)_j over the simplex.

    An interior-point method for the convex problem with one kind of constraint,
    minimise sum_l x_l - mean_j log(L x)_j over x >= 0, whose minimum sums to 1 by
    itself (Kim, Carbonetto, Stephens and Anitescu, J. Comp. Graph. Stat. 2020, on the
    reformulation). By concavity the mean logarithm is below its maximum by at most
    max_l mean_j L_jl / (L x)_j - 1, which is the gap that ends the search.

    Args:
      density: (m, k) >= 0, with a positive entry in each row that has weight. A column
        of zeros gets no share.
      weight: (m,) >= 0, of the rows.
    """
    chex.assert_rank([density, weight], [2, 1])
    weight = weight / jnp.sum(weight)
    density = jnp.where(weight[:, None] > 0, density, 1)
    used = jnp.any((density > 0) & (weight[:, None] > 0), 0)
    count = jnp.sum(used)

    def ratios(share):
        return density / (density @ share)[:, None]

    def pull(share):
        """mean_j L_jl / (L x)_j, (k,)."""
        return (weight / (density @ share)) @ density

    def trim(share):
        """Without the trace that the interior method leaves of every component.

        One whose slope is larger than its share has none at the minimum.
        """
        share = share / jnp.sum(share)
        share = jnp.where(1 - pull(share) > share, 0, share)
        return share / jnp.sum(share)

    def gap(share):
        found = jnp.max(pull(trim(share))) - 1
        return jnp.where(jnp.isnan(found), jnp.inf, found)  # a row lost all it had

    def going(state):
        return (state.gap > tolerance) & (state.count < STEPS)

    def advance(state):
        x, dual = state.share, state.dual
        r = ratios(x)
        gradient = 1 - weight @ r
        hessian = (weight[:, None] * r).T @ r
        aim = 0.1 * jnp.sum(jnp.where(used, x * dual, 0)) / count
        system = hessian + jnp.diag(jnp.where(used, dual / x, 1))
        factor = jax.scipy.linalg.cho_factor(system)
        right = jnp.where(used, aim / x - gradient, 0)
        step = jax.scipy.linalg.cho_solve(factor, right)
        turn = aim / x - dual - dual / x * step
        x = x + _length(x, jnp.where(used, step, 0)) * step
        dual = dual + _length(dual, jnp.where(used, turn, 0)) * turn
        return _State(
            jnp.where(used, x, 0),
            jnp.where(used, dual, 1),
            gap(x),
            state.count + 1,
        )

    start = jnp.where(used, 1 / count, 0).astype(density.dtype)
    state = _State(start, jnp.ones_like(start), gap(start), 0)
    state = jax.lax.while_loop(going, advance, state)
    return Proportions(trim(state.share), state.gap)


def _length(x: Array, step: Array) -> Array:
    """How far along the step x stays positive, at most 1."""
    shrinks = step < 0
    ratio = jnp.where(shrinks, x / jnp.where(shrinks, -step, 1), jnp.inf)
    return jnp.minimum(1, BACK * jnp.min(ratio))
