"""Minimisation over subspaces: conjugate gradients on the Grassmann manifold."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.types import Array

DECREASE = 1e-4  # share of the slope that a step must gain (Armijo)
TRIALS = 25  # steps that a line search tries


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
    direction: Array
    reach: Array  # (), length of the step to try first
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
    by QR; old directions become tangent by the same projection, and combine by Polak
    and Ribiere's coefficient, never below 0 (Absil, Mahony and Sepulchre, Optimization
    Algorithms on Matrix Manifolds, 2008, algorithm 13). The objective never rises. Ends
    at `tolerance`, or where rounding leaves no step down.

    Args:
      steps: at most.
      tolerance: share of the norm of the first gradient.
    """
    chex.assert_rank(start, 2)
    evaluate = jax.value_and_grad(objective)
    value, gradient = evaluate(start)
    gradient = tangent(start, gradient)
    first = jnp.linalg.norm(gradient)

    def unfinished(state):
        above = jnp.linalg.norm(state.gradient) > tolerance * first
        return above & ~state.stuck & (state.steps < steps)

    def step(state):
        length = jnp.linalg.norm(state.direction)
        slope = jnp.sum(state.gradient * state.direction)
        found = _line_search(
            evaluate, state, slope, state.reach / jnp.where(length > 0, length, 1)
        )
        gradient = tangent(found.point, found.gradient)
        old = tangent(found.point, state.gradient)
        squared = jnp.sum(state.gradient**2)
        blend = jnp.maximum(jnp.sum(gradient * (gradient - old)) / squared, 0)
        direction = -gradient + blend * tangent(found.point, state.direction)
        down = jnp.sum(direction * gradient) < 0
        direction = jnp.where(down, direction, -gradient)
        # The step whose model gains as much as the last step did, a little longer.
        slope = jnp.sum(direction * gradient)
        gain = 2.02 * (found.value - state.value) / jnp.where(slope < 0, slope, -1)
        reach = jnp.clip(gain * jnp.linalg.norm(direction), 1e-8, 1.0)
        moved = _Search(
            found.point,
            found.value,
            gradient,
            direction,
            reach,
            ~found.good,
            state.steps + 1,
        )
        # A failed search is tried again straight down before it is given up.
        straight = jnp.all(state.direction == -state.gradient)
        again = state._replace(
            direction=-state.gradient,
            reach=jnp.full_like(state.reach, 0.1),
            stuck=straight,
        )
        return jax.tree.map(lambda a, b: jnp.where(found.good, a, b), moved, again)

    state = _Search(
        start,
        value,
        gradient,
        -gradient,
        jnp.asarray(0.5, value.dtype),
        jnp.asarray(False),
        jnp.asarray(0),
    )
    end = lax.while_loop(unfinished, step, state)
    share = jnp.linalg.norm(end.gradient) / jnp.where(first > 0, first, 1)
    return Minimum(end.point, end.value, share, end.steps)


def tangent(point: Array, vector: Array) -> Array:
    """The part of `vector` (d, k) that moves the subspace of `point` (d, k)."""
    return vector - point @ (point.T @ vector)


def orthonormal(basis: Array) -> Array:
    """Q (d, k) of the QR decomposition whose R has a diagonal that is not negative."""
    q, r = jnp.linalg.qr(basis)
    return q * jnp.where(jnp.diag(r) < 0, -1, 1)


def _line_search(evaluate, state, slope, scale) -> _Trial:
    """Shorter and shorter steps until one gains enough."""

    def shorter(trial):
        # To the minimum of the parabola through what is known, within bounds.
        bend = trial.value - state.value - slope * trial.scale
        best = -slope * trial.scale**2 / jnp.where(bend > 0, 2 * bend, 1)
        best = jnp.where(bend > 0, best, 0)
        return jnp.clip(best, trial.scale / 10, trial.scale / 2)

    def attempt(trial):
        scaled = jnp.where(trial.count > 0, shorter(trial), scale)
        point = orthonormal(state.point + scaled * state.direction)
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
