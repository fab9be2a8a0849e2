"""Sinkhorn's algorithm on a kernel matrix, over-relaxed and safe from overflow."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.ops import precision
from transfer_jax.types import Array

CHUNK = 10  # iterations between two checks of the error
FASTEST = 1.99  # the largest over-relaxation
SETTLING = 2  # chunks to wait after a change of the over-relaxation
DIVERGED = 100.0  # growth of the error at which over-relaxation is reset
COARSE = 200.0  # range of the costs in units of the first regularisation
COOLING = 4.0  # factor between two regularisations
LOOSE, STAGE = 1e-2, 10  # error and chunks after which the next regularisation begins


class State(NamedTuple):
    """Potentials, and the scalings of their kernel."""

    kernel: Array  # (n, m)
    f: Array  # (n,)
    g: Array  # (m,)
    u: Array  # (n,)
    v: Array  # (m,)
    regularisation: Array  # ()
    factor: Array  # (), of over-relaxation
    error: Array  # ()
    mark: Array  # (), the smallest error since the factor changed
    wait: Array  # (), chunks until the factor may change again
    stage: Array  # (), chunks with this regularisation
    count: Array  # ()


@precision.full_precision
def iterate(
    cost: Array,
    a: Array,
    b: Array,
    last: Array,
    start: tuple[Array, Array] | None,
    *,
    tolerance: Array | float,
    iterations: int,
) -> State:
    """Iterates until the errors of the marginals sum to `tolerance`.

    The plan is u_i kernel_ij v_j. See `entropic_plan` for the method.

    Args:
      last: the regularisation.
      start: potentials (n,), (m,), or None.
      tolerance: in units of the masses.
      iterations: their largest number.
    """
    present = (a > 0)[:, None] & (b > 0)
    # Products of two scalings and an entry of the kernel must not overflow.
    reach = 50.0 if cost.dtype == jnp.float64 else 20.0

    def kernel(f, g, regularisation):
        exponent = (f[:, None] + g - cost) / regularisation
        return jnp.where(present, jnp.exp(exponent), 0)

    f, g = _c_transforms(cost, present)
    width = jnp.max(jnp.where(present, cost - f[:, None] - g, 0))
    regularisation = jnp.maximum(last, width / COARSE)
    if start is not None:
        # Use `start` only if its kernel has sums that are neither 0 nor infinite.
        warm = kernel(*start, last)
        usable = jnp.all(jnp.where(a > 0, _moderate(jnp.sum(warm, 1)), True))
        usable &= jnp.all(jnp.where(b > 0, _moderate(jnp.sum(warm, 0)), True))
        f, g = (
            jnp.where(usable, s, safe) for s, safe in zip(start, (f, g), strict=True)
        )
        regularisation = jnp.where(usable, last, regularisation)

    def unfinished(state):
        right = (state.error <= tolerance) & (state.regularisation <= last)
        return ~right & (state.count < iterations)

    def advance(state):
        def scale(_, scalings):
            u, v = scalings
            v = _rescale(v, b, u @ state.kernel, state.factor)
            u = _rescale(u, a, state.kernel @ v, state.factor)
            return u, v

        u, v = lax.fori_loop(0, CHUNK, scale, (state.u, state.v))
        error = jnp.sum(jnp.abs(u * (state.kernel @ v) - a))
        error += jnp.sum(jnp.abs(v * (u @ state.kernel) - b))
        finite = jnp.isfinite(error)
        u, v = jnp.where(finite, u, 1), jnp.where(finite, v, 1)
        error = jnp.where(finite, error, jnp.inf)
        new_state = state._replace(
            u=u, v=v, count=state.count + CHUNK, stage=state.stage + 1
        )
        new_state = _steer(new_state, error)
        out_of_range = jnp.maximum(_log_range(u, a), _log_range(v, b)) > reach
        cool = (error <= LOOSE * jnp.sum(a)) | (new_state.stage >= STAGE)
        cool &= state.regularisation > last
        cooler = jnp.maximum(state.regularisation / COOLING, last)
        return lax.cond(
            out_of_range | cool | ~finite,
            lambda s: absorb(s, jnp.where(cool, cooler, s.regularisation), cool),
            lambda s: s,
            new_state,
        )

    def absorb(state, regularisation, cool):
        f, g = potentials(state)
        g = log_step(f, cost.T, b, a, regularisation)
        f = log_step(g, cost, a, b, regularisation)
        fresh = begin(f, g, regularisation)
        return fresh._replace(
            factor=jnp.where(cool, 1, state.factor),
            error=jnp.where(cool, jnp.inf, state.error),
            mark=jnp.where(cool, jnp.inf, state.mark),
            wait=jnp.where(cool, 1, state.wait),
            stage=jnp.where(cool, 0, state.stage),
            count=state.count,
        )

    def begin(f, g, regularisation):
        one = jnp.ones((), cost.dtype)
        return State(
            kernel=kernel(f, g, regularisation),
            f=f,
            g=g,
            u=jnp.ones_like(a),
            v=jnp.ones_like(b),
            regularisation=regularisation,
            factor=one,
            error=jnp.inf * one,
            mark=jnp.inf * one,
            wait=1,
            stage=0,
            count=0,
        )

    state = lax.while_loop(unfinished, advance, begin(f, g, regularisation))
    # Without enough iterations the plan is that of a larger regularisation.
    early = state.regularisation > last
    return state._replace(error=jnp.where(early, jnp.inf, state.error))


@precision.full_precision
def log_step(g: Array, cost: Array, a: Array, b: Array, regularisation: Array) -> Array:
    """Potentials f (n,) that give the rows the sums a, and 0 where a is 0."""
    exponent = jnp.where(b > 0, (g - cost) / regularisation, -jnp.inf)
    log = jnp.log(jnp.where(a > 0, a, 1))
    f = regularisation * (log - jax.nn.logsumexp(exponent, 1))
    return jnp.where(a > 0, f, 0)


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


def potentials(state: State) -> tuple[Array, Array]:
    """The potentials (n,), (m,) of f, g and the scalings together."""

    def absorb(potential, scaling):
        log = jnp.log(jnp.where(scaling > 0, scaling, 1))
        return potential + state.regularisation * log

    return absorb(state.f, state.u), absorb(state.g, state.v)


def _log_range(scaling, weight):
    return jnp.max(jnp.abs(jnp.log(jnp.where(weight > 0, scaling, 1))))


def _moderate(x):
    return (x > 1e-30) & (x < 1e30)
