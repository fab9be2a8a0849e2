"""Truncated Newton's method for regularised losses of linear functions."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from transfer_jax.types import Array

NEWTON_STEPS = 200  # at most
PRODUCTS = 1_000  # at most, of the Hessian in one Newton step
SEARCHES = 8  # evaluations along a step
LONGEST = 4  # the longest step, as a multiple of a Newton step
FORCING = 0.01  # share of the squared gradient that the first step may leave


class Loss(NamedTuple):
    """A convex loss of scores f (n, c), including its weights."""

    value: Callable[[Array], Array]  # (n, c) -> (n, c), or (n, 1) of joint columns
    slope: Callable[[Array], Array]  # (n, c) -> (n, c)
    curvature: Callable[[Array, Array], Array]  # (f, u) -> Hessian in f times u
    diagonal: Callable[[Array], Array]  # of that Hessian, (n, c) -> (n, c)


class Minimum(NamedTuple):
    """The final point of the search; one value per column, or (1, 1) if joint."""

    w: Array  # (r, c)
    objective: Array  # (1, c) or (1, 1)
    gap: Array  # (1, c) or (1, 1), upper bound on the objective minus its minimum


class _State(NamedTuple):
    w: Array
    scores: Array  # z w
    objective: Array
    gradient: Array
    scale: Array  # the Hessian's diagonal
    gap: Array
    moves: Array  # False once no step lowers the objective
    count: Array


def minimise(
    z: Array, ridge: Array, loss: Loss, start: Array, *, joint: bool, tolerance: float
) -> Minimum:
    """Minimises 1/2 sum_j ridge_j |w_j|^2 + sum_i loss_i(z w) over w (r, c).

    Truncated Newton steps, each with a line search (Nocedal and Wright 2006, section
    7.1). The linear system of a step is solved by conjugate gradients, preconditioned
    by its diagonal, more precisely the smaller the gradient. All columns advance
    together, so that every product with z (n, r) is a product of matrices.

    The search ends when |gradient|^2 / 2 is at most `tolerance` times the objective.
    With ridge 1 this bounds the gap to the minimum, because the objective is 1-strongly
    convex. For a coefficient with ridge 0 the square is divided by its curvature, which
    is exact only near the minimum.

    Args:
      ridge: (r, 1), 0 for a free coefficient.
      start: (r, c), the starting point.
      joint: one problem in all columns (softmax) instead of one per column.
    """
    chex.assert_rank([z, ridge, start], 2)
    squares = z**2

    def total(x):
        return jnp.sum(x, (0, 1) if joint else 0, keepdims=True)

    def objective(w, scores):
        return total(0.5 * ridge * w**2) + total(loss.value(scores))

    def at(w, moves, count):
        scores = z @ w
        gradient = ridge * w + z.T @ loss.slope(scores)
        scale = ridge + squares.T @ loss.diagonal(scores)
        scale = jnp.where(scale > 0, scale, 1)
        gap = total(0.5 * gradient**2 / jnp.where(ridge > 0, ridge, scale))
        value = objective(w, scores)
        return _State(w, scores, value, gradient, scale, gap, moves, count)

    def unfinished(state):
        return (state.gap > tolerance * state.objective) & state.moves

    def condition(state):
        return jnp.any(unfinished(state)) & (state.count < NEWTON_STEPS)

    def advance(state):
        now = unfinished(state)
        rhs = -jnp.where(now, state.gradient, 0)
        norm = total(rhs**2 / state.scale)
        share = jnp.minimum(FORCING, norm / jnp.where(first > 0, first, 1))
        step = _conjugate_gradients(
            lambda v: ridge * v + z.T @ loss.curvature(state.scores, z @ v),
            rhs,
            state.scale,
            share * norm,
            total,
        )
        length = search(state, step)
        w = state.w + jnp.where(now, length, 0) * step
        return at(w, state.moves & ((length > 0) | ~now), state.count + 1)

    def search(state, step):
        """The length that minimises along the step, by safeguarded Newton steps."""
        along = z @ step

        def seek(_, bracket):
            low, high, length = bracket
            scores = state.scores + length * along
            slope = total(ridge * (state.w + length * step) * step)
            slope += total(loss.slope(scores) * along)
            curvature = total(ridge * step**2)
            curvature += total(loss.curvature(scores, along) * along)
            low = jnp.where(slope < 0, length, low)
            high = jnp.where(slope < 0, high, length)
            length = length - slope / jnp.where(curvature > 0, curvature, 1)
            inside = (length > low) & (length < high)
            return low, high, jnp.where(inside, length, (low + high) / 2)

        one = jnp.ones_like(state.objective)
        bracket = (0 * one, LONGEST * one, one)
        low, _, length = jax.lax.fori_loop(0, SEARCHES, seek, bracket)
        reached = objective(state.w + length * step, state.scores + length * along)
        # At `low` the slope is still negative, so the objective is lower there.
        return jnp.where(reached <= state.objective, length, low)

    moves = jnp.ones((1, 1 if joint else start.shape[1]), bool)
    state = at(start, moves, 0)
    first = total(state.gradient**2 / state.scale)
    state = jax.lax.while_loop(condition, advance, state)
    return Minimum(state.w, state.objective, state.gap)


def _conjugate_gradients(product, rhs, scale, tolerance, total):
    """Solves product(x) = right from 0, until total(residual^2 / scale) is small."""

    def condition(state):
        *_, error, count = state
        return jnp.any(error > tolerance) & (count < PRODUCTS)

    def advance(state):
        x, residual, direction, error, count = state
        now = error > tolerance
        image = product(direction)
        curvature = total(direction * image)
        length = jnp.where(now, error / jnp.where(curvature > 0, curvature, 1), 0)
        x = x + length * direction
        residual = residual - length * image
        new = total(residual**2 / scale)
        momentum = new / jnp.where(error > 0, error, 1)
        direction = jnp.where(now, residual / scale + momentum * direction, direction)
        return x, residual, direction, jnp.where(now, new, error), count + 1

    error = total(rhs**2 / scale)
    state = (jnp.zeros_like(rhs), rhs, rhs / scale, error, 0)
    return jax.lax.while_loop(condition, advance, state)[0]
