"""Minimisation over subspaces: L-BFGS on the Grassmann manifold."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.types import Array

DECREASE = 1e-4  # share of the slope that a step must gain (Armijo)
TRIALS = 25  # steps that a line search tries
MEMORY = 8  # steps that are remembered


class Minimum(NamedTuple):
    """Where the search ended."""

    point: Array  # (d, k), orthonormal columns
    value: Array  # ()
    slope: Array  # (), norm of the gradient as a share of the first
    steps: Array  # (), int


class _Search(NamedTuple):
    point: Array
    value: Array
    gradient: Array  # tangent to the manifold
    moves: Array  # (MEMORY, d, k), tangent, the newest last; 0 where there is none
    changes: Array  # (MEMORY, d, k), of the gradient along them
    stuck: Array  # (), whether no step down was found
    steps: Array


class _Trial(NamedTuple):
    point: Array
    value: Array
    gradient: Array  # not yet tangent
    scale: Array  # of the direction
    good: Array
    count: Array


def minimise(
    objective: Callable[[Array], Array],
    start: Array,
    *,
    steps: int,
    tolerance: float | Array,
) -> Minimum:
    """Minimise a function of a subspace, given by a basis W (d, k) with W^T W = I.

    The objective must be the same for all bases of a subspace. The gradient is its
    Euclidean one without its part in the subspace; a step goes along W + s H and back
    by QR; remembered steps become tangent to where the search is by the same
    projection (Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix
    Manifolds, 2008, sections 3.6, 4.1, 8.1). The direction H is that of L-BFGS (Nocedal
    and Wright, Numerical Optimization, 2006, algorithm 7.4). The objective never rises.
    Ends at `tolerance`, or where rounding leaves no step down.

    Args:
      steps: at most.
      tolerance: share of the norm of the first gradient.
    """
    chex.assert_rank(start, 2)
    evaluate = jax.value_and_grad(objective)
    value, gradient = evaluate(start)
    gradient = tangent(start, gradient)
    first = jnp.linalg.norm(gradient)
    nothing = jnp.zeros((MEMORY, *start.shape), start.dtype)

    def unfinished(state):
        above = jnp.linalg.norm(state.gradient) > tolerance * first
        return above & ~state.stuck & (state.steps < steps)

    def step(state):
        known = jnp.any(state.moves[-1] != 0)
        direction = -_quasi_newton(state)
        slope = jnp.sum(direction * state.gradient)
        length = jnp.linalg.norm(direction)
        # A tenth of a radian where nothing is known of the curvature; never beyond 1.
        reach = jnp.where(known, jnp.minimum(length, 1), 0.1)
        scale = reach / jnp.where(length > 0, length, 1)
        found = _line_search(evaluate, state, direction, slope, scale)
        gradient = tangent(found.point, found.gradient)
        move = tangent(found.point, found.scale * direction)
        change = gradient - tangent(found.point, state.gradient)
        moved = _Search(
            found.point,
            found.value,
            gradient,
            _remember(found.point, state.moves, move),
            _remember(found.point, state.changes, change),
            jnp.asarray(False),
            state.steps + 1,
        )
        # A failed search is tried again straight down before it is given up.
        forgetful = state._replace(moves=nothing, changes=nothing, stuck=~known)
        return jax.tree.map(lambda a, b: jnp.where(found.good, a, b), moved, forgetful)

    state = _Search(
        start,
        value,
        gradient,
        nothing,
        nothing,
        jnp.asarray(False),
        jnp.asarray(0),
    )
    end = lax.while_loop(unfinished, step, state)
    share = jnp.linalg.norm(end.gradient) / jnp.where(first > 0, first, 1)
    return Minimum(end.point, end.value, share, end.steps)


def _remember(point, vectors, newest) -> Array:
    """The vectors without the oldest, with the newest, tangent at `point`."""
    kept = jax.vmap(tangent, (None, 0))(point, vectors[1:])
    return jnp.concatenate([kept, newest[None]])


def _quasi_newton(state) -> Array:
    """The gradient times the inverse Hessian that the remembered steps suggest."""
    along = jnp.sum(state.moves * state.changes, (1, 2))
    sizes = jnp.sum(state.changes**2, (1, 2))
    # Where the curvature is not positive, a step teaches nothing.
    useful = along > jnp.finfo(along.dtype).eps * sizes
    rho = jnp.where(useful, 1 / jnp.where(useful, along, 1), 0)
    found, shares = state.gradient, []
    for i in reversed(range(MEMORY)):
        shares.append(rho[i] * jnp.sum(state.moves[i] * found))
        found = found - shares[-1] * state.changes[i]
    newest = jnp.where(useful[-1], along[-1] / jnp.where(useful, sizes, 1)[-1], 1)
    found = found * newest
    for i in range(MEMORY):
        back = rho[i] * jnp.sum(state.changes[i] * found)
        found = found + state.moves[i] * (shares.pop() - back)
    down = jnp.sum(found * state.gradient) > 0
    return jnp.where(down, found, state.gradient)


def tangent(point: Array, vector: Array) -> Array:
    """The part of `vector` (d, k) that moves the subspace of `point` (d, k)."""
    return vector - point @ (point.T @ vector)


def orthonormal(basis: Array) -> Array:
    """Q (d, k) of the QR decomposition whose R has a diagonal that is not negative."""
    q, r = jnp.linalg.qr(basis)
    return q * jnp.where(jnp.diag(r) < 0, -1, 1)


def _line_search(evaluate, state, direction, slope, scale) -> _Trial:
    """Shorter and shorter steps until one gains enough."""

    def shorter(trial):
        # To the minimum of the parabola through what is known, within bounds.
        bend = trial.value - state.value - slope * trial.scale
        best = -slope * trial.scale**2 / jnp.where(bend > 0, 2 * bend, 1)
        best = jnp.where(bend > 0, best, 0)
        return jnp.clip(best, trial.scale / 10, trial.scale / 2)

    def attempt(trial):
        scaled = jnp.where(trial.count > 0, shorter(trial), scale)
        point = orthonormal(state.point + scaled * direction)
        value, gradient = evaluate(point)
        good = value <= state.value + DECREASE * scaled * slope
        return _Trial(point, value, gradient, scaled, good, trial.count + 1)

    def go_on(trial):
        return ~trial.good & (trial.count < TRIALS)

    none = _Trial(
        state.point,
        state.value,
        state.gradient,
        scale,
        jnp.asarray(False),
        jnp.asarray(0),
    )
    return lax.while_loop(go_on, attempt, none)
