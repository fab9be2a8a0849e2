"""Minimisation over subspaces: L-BFGS on the Grassmann manifold."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.types import Array

DECREASE = 1e-4  # share of the linear decrease that a step must achieve (Armijo)
TRIALS = 25  # steps tried by a line search, at most
MEMORY = 8  # steps of the L-BFGS memory


class Minimum(NamedTuple):
    """The final point of the search."""

    point: Array  # (d, k), orthonormal columns
    value: Array  # ()
    slope: Array  # (), norm of the gradient as a share of the first
    steps: Array  # (), int


class _Search(NamedTuple):
    point: Array
    value: Array
    gradient: Array  # tangent to the manifold
    moves: Array  # (MEMORY, d, k), tangent, the newest last; 0 if missing
    changes: Array  # (MEMORY, d, k), changes of the gradient along them
    stuck: Array  # (), whether no descent step exists
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

    The objective must be the same for all bases of a subspace. The gradient is the
    Euclidean one without its component in the subspace. A step goes to W + s H, and QR
    returns to the manifold. The steps in memory are projected in the same way onto the
    tangent space at the current point (Absil, Mahony and Sepulchre, Optimization
    Algorithms on Matrix Manifolds, 2008, sections 3.6, 4.1, 8.1). The direction H is
    that of L-BFGS (Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4).
    The objective never rises. The search ends at `tolerance`, or when rounding prevents
    any decrease.

    Args:
      steps: the maximum number of steps.
      tolerance: norm of the gradient at which to stop, as a share of the first.
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
        # 0.1 radians if the curvature is unknown; at most 1.
        reach = jnp.where(known, jnp.minimum(length, 1), 0.1)
        scale = reach / jnp.where(length > 0, length, 1)
        trial = _line_search(evaluate, state, direction, slope, scale)
        gradient = tangent(trial.point, trial.gradient)
        move = tangent(trial.point, trial.scale * direction)
        change = gradient - tangent(trial.point, state.gradient)
        accepted = _Search(
            trial.point,
            trial.value,
            gradient,
            _remember(trial.point, state.moves, move),
            _remember(trial.point, state.changes, change),
            jnp.asarray(False),
            state.steps + 1,
        )
        # After a failed line search try steepest descent before giving up.
        forgetful = state._replace(moves=nothing, changes=nothing, stuck=~known)
        return jax.tree.map(
            lambda a, b: jnp.where(trial.good, a, b), accepted, forgetful
        )

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
    """The memory with the newest vector in place of the oldest, tangent at `point`."""
    recent = jax.vmap(tangent, (None, 0))(point, vectors[1:])
    return jnp.concatenate([recent, newest[None]])


def _quasi_newton(state) -> Array:
    """The gradient times the L-BFGS approximation of the inverse Hessian."""
    along = jnp.sum(state.moves * state.changes, (1, 2))
    sizes = jnp.sum(state.changes**2, (1, 2))
    # Steps without positive curvature are ignored.
    useful = along > jnp.finfo(along.dtype).eps * sizes
    rho = jnp.where(useful, 1 / jnp.where(useful, along, 1), 0)
    direction, shares = state.gradient, []
    for i in reversed(range(MEMORY)):
        shares.append(rho[i] * jnp.sum(state.moves[i] * direction))
        direction = direction - shares[-1] * state.changes[i]
    newest = jnp.where(useful[-1], along[-1] / jnp.where(useful, sizes, 1)[-1], 1)
    direction = direction * newest
    for i in range(MEMORY):
        beta = rho[i] * jnp.sum(state.changes[i] * direction)
        direction = direction + state.moves[i] * (shares.pop() - beta)
    descends = jnp.sum(direction * state.gradient) > 0
    return jnp.where(descends, direction, state.gradient)


def tangent(point: Array, vector: Array) -> Array:
    """The component of `vector` (d, k) that moves the subspace of `point` (d, k)."""
    return vector - point @ (point.T @ vector)


def orthonormal(basis: Array) -> Array:
    """Q (d, k) of the QR decomposition with a nonnegative diagonal of R."""
    q, r = jnp.linalg.qr(basis)
    return q * jnp.where(jnp.diag(r) < 0, -1, 1)


def _line_search(evaluate, state, direction, slope, scale) -> _Trial:
    """Backtracking: shorter steps until one decreases the objective enough."""

    def shorter(trial):
        # The minimum of the interpolating parabola, within bounds.
        curvature = trial.value - state.value - slope * trial.scale
        best = -slope * trial.scale**2 / jnp.where(curvature > 0, 2 * curvature, 1)
        best = jnp.where(curvature > 0, best, 0)
        return jnp.clip(best, trial.scale / 10, trial.scale / 2)

    def attempt(trial):
        scaled = jnp.where(trial.count > 0, shorter(trial), scale)
        point = orthonormal(state.point + scaled * direction)
        value, gradient = evaluate(point)
        good = value <= state.value + DECREASE * scaled * slope
        return _Trial(point, value, gradient, scaled, good, trial.count + 1)

    def condition(trial):
        return ~trial.good & (trial.count < TRIALS)

    none = _Trial(
        state.point,
        state.value,
        state.gradient,
        scale,
        jnp.asarray(False),
        jnp.asarray(0),
    )
    return lax.while_loop(condition, attempt, none)
