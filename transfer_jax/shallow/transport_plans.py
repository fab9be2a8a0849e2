"""Transport plans between two weighted samples, exact and entropic.

A plan is a matrix (n, m) of masses >= 0 whose rows sum to a (n,), whose columns sum to
b (m,). Rows and columns of weight 0 get nothing.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp
from jax import lax

from transfer_jax.ops import host
from transfer_jax.types import Array

TOLERANCE = 1e-9  # total mass of the marginals' errors
ITERATIONS = 20_000
CHUNK = 10  # iterations between two looks at the error
RANGE = 50.0  # of the logarithm of a scaling, before it moves into the potentials
FASTEST = 1.99  # over-relaxation
SETTLING = 2  # chunks after a change of it
DIVERGED = 100.0  # growth of the error that ends it
PIVOTS = 10_000_000  # of the network simplex


class Plan(NamedTuple):
    """A plan, and how it was found."""

    matrix: Array  # (n, m)
    source: Array  # (n,) dual potentials, in the units of the cost
    target: Array  # (m,)
    error: Array  # (), total error of the marginals before they were put right
    iterations: Array  # ()


def exact_plan(cost: Array, a: Array, b: Array) -> Array:
    """argmin_P <P, cost>, (n, m), (n,), (m,) -> (n, m), by POT's network simplex.

    It runs on the host, on one core, within compiled programs too.
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

    Sinkhorn's algorithm (Cuturi 2013). P_ij = u_i exp((f_i + g_j - cost_ij) /
    regularisation) v_j: iterations are products with the kernel in the middle, and the
    scalings u and v move into the potentials f and g before they leave the range of
    numbers (Schmitzer 2019, section 3.1), so that no regularisation is too small. The
    first potentials are c-transforms: every row and column of the first kernel holds
    a 1. Iterations are over-relaxed (Thibault et al. 2021; Lehmann et al. 2022): the
    factor is that of successive over-relaxation for the rate seen so far, and 1 again
    where the error grows.

    It ends when the marginals' errors sum to `tolerance`, or after `iterations`; what
    is left of the errors is put right as in Altschuler et al. (2017, algorithm 2), so
    that the marginals are those asked for in any case.

    Args:
      start: potentials to begin with, of a similar problem.
    """
    chex.assert_rank([cost, a, b], [2, 1, 1])
    there = (a > 0)[:, None] & (b > 0)

    def kernel(f, g):
        exponent = (f[:, None] + g - cost) / regularisation
        return jnp.where(there, jnp.exp(exponent), 0)

    f, g = _c_transforms(cost, there)
    if start is not None:
        # Scalings start from sums that are neither 0 nor infinite, or from the safe
        # potentials.
        first = kernel(*start)
        sums = [jnp.sum(first, 1), jnp.sum(first, 0)]
        usable = jnp.all(jnp.where(a > 0, _moderate(sums[0]), True))
        usable &= jnp.all(jnp.where(b > 0, _moderate(sums[1]), True))
        f, g = (
            jnp.where(usable, s, safe) for s, safe in zip(start, (f, g), strict=True)
        )

    def going(state):
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
        # From potentials that are far off a scaling might still overflow: back to them.
        sound = jnp.isfinite(error)
        u, v = jnp.where(sound, u, 1), jnp.where(sound, v, 1)
        moved = _steer(state._replace(u=u, v=v, count=state.count + CHUNK), error)
        wide = jnp.maximum(_spread(u, a), _spread(v, b)) > RANGE
        return lax.cond(wide, absorb, lambda s: s, moved)

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
    state = lax.while_loop(going, advance, state)
    matrix = rounded(state.u[:, None] * state.kernel * state.v, a, b)
    f, g = _potentials(state, regularisation)
    return Plan(matrix, f, g, state.error, state.count)


def rounded(plan: Array, a: Array, b: Array) -> Array:
    """A plan of the marginals a, b near one that has them roughly.

    Rows, then columns that hold too much are scaled down; what is missing comes as a
    product (Altschuler, Weed and Rigollet, NIPS 2017, algorithm 2).
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
    mark: Array  # (), the least error since the factor changed
    wait: Array  # (), chunks until it may change again
    count: Array  # ()


def _rescale(scaling, weight, sums, factor):
    """Multiplies so that the marginal becomes `weight`, and `factor` times as far."""
    held = jnp.where(weight > 0, scaling * sums, 1)
    return scaling * (weight / held) ** factor


def _steer(state, error):
    """The next over-relaxation, from the rate of the last iterations.

    For successive over-relaxation with factor w, an iteration matrix whose largest
    eigenvalue is e without it gives the rate r with (r + w - 1)^2 = r w^2 e, as long as
    r > w - 1, and 2 / (1 + sqrt(1 - e)) is the best factor (Young 1954). Errors jump
    when the factor changes: they mean nothing until it has settled.
    """
    rate = (error / state.error) ** (1 / CHUNK)
    eigenvalue = (rate + state.factor - 1) ** 2 / (rate * state.factor**2)
    best = 2 / (1 + jnp.sqrt(jnp.maximum(1 - eigenvalue, 0)))
    best = jnp.minimum(best, FASTEST)
    # Near the best factor and above it the rate tends to w - 1, which tells nothing:
    # there a lower factor is tried, from which the formula finds the best one.
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


def _c_transforms(cost, there):
    """Potentials with f_i + g_j <= cost_ij, equal somewhere in each row and column."""
    cost = jnp.where(there, cost, jnp.inf)
    f = jnp.min(cost, 1)
    f = jnp.where(jnp.isfinite(f), f, 0)
    g = jnp.min(cost - f[:, None], 0)
    return f, jnp.where(jnp.isfinite(g), g, 0)


def _potentials(state, regularisation):
    def moved(potential, scaling):
        log = jnp.log(jnp.where(scaling > 0, scaling, 1))
        return potential + regularisation * log

    return moved(state.f, state.u), moved(state.g, state.v)


def _spread(scaling, weight):
    return jnp.max(jnp.abs(jnp.log(jnp.where(weight > 0, scaling, 1))))


def _moderate(x):
    return (x > 1e-100) & (x < 1e100)


def _ratio(x, y):
    return x / jnp.where(y > 0, y, 1)


def _simplex(cost, a, b):
    import ot  # a second: only who uses it pays

    return (ot.emd(a, b * (a.sum() / b.sum()), cost, numItermax=PIVOTS),)
