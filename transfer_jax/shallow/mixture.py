"""Maximum-likelihood proportions of a mixture with known components."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from transfer_jax.types import Array

STEPS = 100  # at most
BACK = 0.95  # a step covers at most this share of the distance to the boundary


class Proportions(NamedTuple):
    """The proportions, and the accuracy of the maximum."""

    share: Array  # (k,), of sum 1
    gap: Array  # (), upper bound on the maximum minus the mean logarithm


class _State(NamedTuple):
    share: Array  # (k,), > 0, sums to 1 at the minimum
    dual: Array  # (k,), > 0
    gap: Array
    count: Array


def fit(density: Array, weight: Array, *, tolerance: float) -> Proportions:
    """Maximises the weighted mean of log (density share)_j over the simplex.

    An interior-point method for an equivalent convex problem whose only constraints are
    x >= 0: minimise sum_l x_l - mean_j log(L x)_j, whose minimum automatically sums to
    1 (the reformulation of Kim, Carbonetto, Stephens and Anitescu, J. Comp. Graph.
    Stat. 2020). By concavity the mean logarithm is below its maximum by at most
    max_l mean_j L_jl / (L x)_j - 1; the search ends when this gap is `tolerance`.

    Args:
      density: (m, k) >= 0, with a positive entry in each row of positive weight. A
        column of zeros gets no share.
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
        """Sets components to 0 that are positive only by the interior-point method.

        A component whose slope exceeds its share is 0 at the minimum.
        """
        share = share / jnp.sum(share)
        share = jnp.where(1 - pull(share) > share, 0, share)
        return share / jnp.sum(share)

    def gap(share):
        bound = jnp.max(pull(trim(share))) - 1
        return jnp.where(
            jnp.isnan(bound), jnp.inf, bound
        )  # a row without any share left

    def unfinished(state):
        return (state.gap > tolerance) & (state.count < STEPS)

    def advance(state):
        x, dual = state.share, state.dual
        r = ratios(x)
        gradient = 1 - weight @ r
        hessian = (weight[:, None] * r).T @ r
        barrier = 0.1 * jnp.sum(jnp.where(used, x * dual, 0)) / count
        system = hessian + jnp.diag(jnp.where(used, dual / x, 1))
        factor = jax.scipy.linalg.cho_factor(system)
        rhs = jnp.where(used, barrier / x - gradient, 0)
        step = jax.scipy.linalg.cho_solve(factor, rhs)
        dual_step = barrier / x - dual - dual / x * step
        x = x + _length(x, jnp.where(used, step, 0)) * step
        dual = dual + _length(dual, jnp.where(used, dual_step, 0)) * dual_step
        return _State(
            jnp.where(used, x, 0),
            jnp.where(used, dual, 1),
            gap(x),
            state.count + 1,
        )

    start = jnp.where(used, 1 / count, 0).astype(density.dtype)
    state = _State(start, jnp.ones_like(start), gap(start), 0)
    state = jax.lax.while_loop(unfinished, advance, state)
    return Proportions(trim(state.share), state.gap)


def _length(x: Array, step: Array) -> Array:
    """The step length, at most 1, for which x stays positive."""
    shrinks = step < 0
    ratio = jnp.where(shrinks, x / jnp.where(shrinks, -step, 1), jnp.inf)
    return jnp.minimum(1, BACK * jnp.min(ratio))
