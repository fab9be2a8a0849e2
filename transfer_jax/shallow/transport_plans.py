"""Transport plans between two weighted samples, exact and entropic.

A plan is a matrix (n, m) of masses >= 0 whose rows sum to a (n,) and whose columns sum
to b (m,). Rows and columns of weight 0 are 0.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp
from jax import lax

from transfer_jax.ops import host
from transfer_jax.types import Array

TOLERANCE = 1e-9  # total error of the marginals
ITERATIONS = 20_000
CHUNK = 10  # iterations between two checks of the error
RANGE = 50.0  # of log scalings, beyond which they are absorbed into the potentials
FASTEST = 1.99  # the largest over-relaxation
SETTLING = 2  # chunks to wait after a change of the over-relaxation
DIVERGED = 100.0  # growth of the error at which over-relaxation is reset
PIVOTS = 10_000_000  # of the network simplex


class Plan(NamedTuple):
    """A plan, its potentials, and the state of the solver."""

    matrix: Array  # (n, m)
    source: Array  # (n,) dual potentials, in the units of the cost
    target: Array  # (m,)
    error: Array  # (), total error of the marginals before the final rounding
    iterations: Array  # ()


def exact_plan(cost: Array, a: Array, b: Array) -> Array:
    """argmin_P <P, cost>, (n, m), (n,), (m,) -> (n, m), by POT's network simplex.

    It runs on the host, on one core, also inside compiled programs.
    """
    chex.assert_rank([cost, a, b], [2, 1, 1])
    return host.call(_simplex, [cost.shape], cost, a, b)[0]


def entropic_plan(
    cost: Array,
    a: Array,
    b: Array,
    regularisation: Array | float,
    *,
    start: tuple[Array, Array] | None = None,
    tolerance: float = TOLERANCE,
    iterations: int = ITERATIONS,
) -> Plan:
    """argmin_P <P, cost> + regularisation sum_ij P_ij (log P_ij - 1).

    Sinkhorn's algorithm (Cuturi 2013), with P_ij = u_i exp((f_i + g_j - cost_ij) /
    regularisation) v_j. Iterations are products with the kernel exp(...). The scalings
    u and v are absorbed into the potentials f and g before they overflow (Schmitzer
    2019, section 3.1), so that any positive regularisation works. The first potentials
    are c-transforms: every row and column of the first kernel contains a 1. Iterations
    are over-relaxed (Thibault et al. 2021; Lehmann et al. 2022) with the factor of
    successive over-relaxation for the observed rate, reset to 1 if the error grows.

    It ends when the errors of the marginals sum to `tolerance`, or after `iterations`.
    The remaining error is removed as in Altschuler et al. (2017, algorithm 2), so that
    the marginals are always exact.

    Args:
      start: initial potentials, from a similar problem.
    """
    chex.assert_rank([cost, a, b], [2, 1, 1])
    present = (a > 0)[:, None] & (b > 0)

    def kernel(f, g):
        exponent = (f[:, None] + g - cost) / regularisation
        return jnp.where(present, jnp.exp(exponent), 0)

    f, g = _c_transforms(cost, present)
    if start is not None:
        # Use `start` only if its kernel has sums that are neither 0 nor infinite.
        first = kernel(*start)
        sums = [jnp.sum(first, 1), jnp.sum(first, 0)]
        usable = jnp.all(jnp.where(a > 0, _moderate(sums[0]), True))
        usable &= jnp.all(jnp.where(b > 0, _moderate(sums[1]), True))
        f, g = (
            jnp.where(usable, s, safe) for s, safe in zip(start, (f, g), strict=True)
        )

    def unfinished(state):
        return (state.error > tolerance) & (state.count < iterations)

    def advance(state):
        def iterate(_, scalings):
            u, v = scalings
            v = _rescale(v, b, u @ state.kernel, state.factor)
            u = _rescale(u, a, state.kernel @ v, state.factor)
            return u, v

        u, v = lax.fori_loop(0, CHUNK, iterate, (state.u, state.v))
        error = jnp.sum(jnp.abs(u * (state.kernel @ v) - a))
        error += jnp.sum(jnp.abs(v * (u @ state.kernel) - b))
        # If poor potentials still make a scaling overflow, reset the scalings.
        finite = jnp.isfinite(error)
        u, v = jnp.where(finite, u, 1), jnp.where(finite, v, 1)
        new_state = _steer(state._replace(u=u, v=v, count=state.count + CHUNK), error)
        out_of_range = jnp.maximum(_log_range(u, a), _log_range(v, b)) > RANGE
        return lax.cond(out_of_range, absorb, lambda s: s, new_state)

    def absorb(state):
        f, g = _potentials(state, regularisation)
        return state._replace(
            kernel=kernel(f, g),
            f=f,
            g=g,
            u=jnp.ones_like(state.u),
            v=jnp.ones_like(state.v),
        )

    one = jnp.ones((), cost.dtype)
    state = _State(
        kernel=kernel(f, g),
        f=f,
        g=g,
        u=jnp.ones_like(a),
        v=jnp.ones_like(b),
        factor=one,
        error=jnp.inf * one,
        mark=jnp.inf * one,
        wait=1,
        count=0,
    )
    state = lax.while_loop(unfinished, advance, state)
    matrix = round_to_marginals(state.u[:, None] * state.kernel * state.v, a, b)
    f, g = _potentials(state, regularisation)
    return Plan(matrix, f, g, state.error, state.count)


def round_to_marginals(plan: Array, a: Array, b: Array) -> Array:
    """A plan with exactly the marginals a, b, near one with approximately these.

    Rows and then columns with too much mass are scaled down; the missing mass is added
    as a product (Altschuler, Weed and Rigollet, NIPS 2017, algorithm 2).
    """
    plan *= jnp.minimum(_ratio(a, jnp.sum(plan, 1)), 1)[:, None]
    plan *= jnp.minimum(_ratio(b, jnp.sum(plan, 0)), 1)
    rows, columns = a - jnp.sum(plan, 1), b - jnp.sum(plan, 0)
    missing = jnp.sum(rows)
    return plan + jnp.where(
        missing > 0, jnp.maximum(rows, 0)[:, None], 0
    ) * jnp.maximum(columns, 0) / jnp.where(missing > 0, missing, 1)


class _State(NamedTuple):
    kernel: Array  # (n, m)
    f: Array  # (n,)
    g: Array  # (m,)
    u: Array  # (n,)
    v: Array  # (m,)
    factor: Array  # (), of over-relaxation
    error: Array  # ()
    mark: Array  # (), the smallest error since the factor changed
    wait: Array  # (), chunks until the factor may change again
    count: Array  # ()


def _rescale(scaling, weight, sums, factor):
    """Scales the marginal to `weight`, over-relaxed by `factor`."""
    mass = jnp.where(weight > 0, scaling * sums, 1)
    return scaling * (weight / mass) ** factor


def _steer(state, error):
    """The next over-relaxation factor, from the rate of the last iterations.

    If the iteration without over-relaxation has largest eigenvalue e, successive
    over-relaxation with factor w has the rate r with (r + w - 1)^2 = r w^2 e, as long
    as r > w - 1, and the best factor is 2 / (1 + sqrt(1 - e)) (Young 1954). The error
    jumps when the factor changes, so it is ignored until it has settled.
    """
    rate = (error / state.error) ** (1 / CHUNK)
    eigenvalue = (rate + state.factor - 1) ** 2 / (rate * state.factor**2)
    best = 2 / (1 + jnp.sqrt(jnp.maximum(1 - eigenvalue, 0)))
    best = jnp.minimum(best, FASTEST)
    # Near or above the best factor the rate approaches w - 1, which carries no
    # information: try a lower factor, from which the formula finds the best one.
    excess = state.factor - 1
    settled = state.wait == 0
    faster = settled & (rate < 1) & (rate > excess**0.75) & (best > state.factor)
    slower = settled & (excess > 0) & ((rate >= 1) | (rate <= excess**0.9))
    lost = ~(error <= DIVERGED * state.mark) & (excess > 0)
    factor = jnp.where(faster, best, state.factor)
    factor = jnp.where(slower, 1 + excess**1.5, factor)
    changes = faster | slower | lost
    return state._replace(
        factor=jnp.where(lost, 1, factor),
        error=error,
        mark=jnp.where(changes, error, jnp.minimum(error, state.mark)),
        wait=jnp.where(changes, SETTLING, jnp.maximum(state.wait - 1, 0)),
    )


def _c_transforms(cost, present):
    """Potentials with f_i + g_j <= cost_ij, with equality in each row and column."""
    cost = jnp.where(present, cost, jnp.inf)
    f = jnp.min(cost, 1)
    f = jnp.where(jnp.isfinite(f), f, 0)
    g = jnp.min(cost - f[:, None], 0)
    return f, jnp.where(jnp.isfinite(g), g, 0)


def _potentials(state, regularisation):
    def absorb(potential, scaling):
        log = jnp.log(jnp.where(scaling > 0, scaling, 1))
        return potential + regularisation * log

    return absorb(state.f, state.u), absorb(state.g, state.v)


def _log_range(scaling, weight):
    return jnp.max(jnp.abs(jnp.log(jnp.where(weight > 0, scaling, 1))))


def _moderate(x):
    return (x > 1e-100) & (x < 1e100)


def _ratio(x, y):
    return x / jnp.where(y > 0, y, 1)


def _simplex(cost, a, b):
    import ot  # takes a second: imported only where it is used

    return (ot.emd(a, b * (a.sum() / b.sum()), cost, numItermax=PIVOTS),)
