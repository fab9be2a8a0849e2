"""Convex quadratic programs over a box, with bounds on the sum."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from transfer_jax.types import Array

ROUNDS = 200  # at most
PRODUCTS = 50  # at most, of conjugate gradients in one round
SHARE = 0.1  # of a face's gradient, left by its conjugate gradients
HALVINGS = 30  # at most, along one step
DECREASE = 1e-4  # share of the linear decrease that a step must achieve


class Solution(NamedTuple):
    """The final point of the search."""

    x: Array  # (n,)
    residual: Array  # (), max |x - P(x - gradient)|, 0 at the minimum
    products: Array  # (), number of products with the matrix


class _State(NamedTuple):
    x: Array
    gradient: Array
    residual: Array
    moves: Array  # False once no step lowers the objective
    cut: Array  # whether the last step to the minimum of a face was shortened
    products: Array
    rounds: Array


def project(v: Array, upper: Array, low: Array, high: Array) -> Array:
    """The nearest x with 0 <= x <= upper and low <= sum x <= high, (n,) -> (n,).

    It is clip(v - t, 0, upper). If the sum is within its bounds for t = 0, then t = 0;
    otherwise t makes the sum equal to the bound that it violates. Bisection brackets t
    until the clipped entries are known; from there the sum is linear in t.
    """

    def clipped(shift):
        return jnp.clip(v - shift, 0, upper)

    total = jnp.sum(clipped(0))
    goal = jnp.clip(total, low, high)
    # At the ends of the bracket all entries are at `upper`, and at 0.
    start = jnp.min(v - upper), jnp.max(v)

    def halve(_, bracket):
        left, right = bracket
        middle = (left + right) / 2
        above = jnp.sum(clipped(middle)) > goal
        return jnp.where(above, middle, left), jnp.where(above, right, middle)

    left, right = jax.lax.fori_loop(0, 60, halve, start)
    shift = (left + right) / 2
    x = clipped(shift)
    free = (x > 0) & (x < upper)
    count = jnp.sum(free)
    shift += (jnp.sum(x) - goal) / jnp.where(count > 0, count, 1)
    # If the sum is met already, rounding must not move entries off their bounds.
    met = jnp.abs(total - goal) <= 1e-12 * jnp.abs(goal)
    return clipped(jnp.where(met, 0, shift))


def minimise(
    matrix: Array,
    linear: Array,
    upper: Array,
    low: Array,
    high: Array,
    *,
    tolerance: float,
) -> Solution:
    """Minimises 1/2 x^T M x - l^T x with 0 <= x <= upper, low <= sum x <= high.

    Gradient projection identifies the bounds that hold with equality. Conjugate
    gradients minimise over the face of the free entries, and the step to that minimum
    is projected (More and Toraldo, SIAM J. Optimization 1991). The objective falls with
    every step. The search ends when max |x - P(x - gradient)| <= `tolerance`, with P
    the projection onto the constraints; this is 0 exactly if the KKT conditions hold.

    Args:
      matrix: (n, n) symmetric, positive semidefinite.
      linear: (n,).
      upper: (n,), 0 where an entry must be 0.
    """
    chex.assert_rank([matrix, linear, upper], [2, 1, 1])

    def onto(v):
        return project(v, upper, low, high)

    def product(v):
        return v @ matrix

    def residual(x, gradient):
        return jnp.max(jnp.abs(x - onto(x - gradient)))

    def face(x, gradient):
        """Projector onto the directions that keep the active constraints."""
        free = (x > 0) & (x < upper)
        total = jnp.sum(x)
        width = 1e-12 * jnp.sum(jnp.abs(x))
        # The sum is fixed at a bound only while the gradient pushes it outwards.
        count = jnp.sum(free)
        mean = jnp.sum(jnp.where(free, gradient, 0)) / jnp.where(count > 0, count, 1)
        fixed = ((total <= low + width) & (mean > 0)) | (
            (total >= high - width) & (mean < 0)
        )

        def along(v):
            v = jnp.where(free, v, 0)
            mean = jnp.sum(v) / jnp.where(count > 0, count, 1)
            return jnp.where(free & fixed, v - mean, v)

        return along

    def search(x, gradient, step, length):
        """The first of `length`, its half, ... whose projection decreases enough."""

        def attempt(length):
            trial = onto(x + length * step)
            difference = trial - x
            image = product(difference)
            slope = gradient @ difference
            change = slope + 0.5 * difference @ image
            return trial, image, change <= DECREASE * slope, slope

        def going(state):
            *_, good, slope, count = state
            return ~good & (count < HALVINGS)

        def advance(state):
            length, *_, count = state
            length = length / 2
            return (length, *attempt(length), count + 1)

        state = (length, *attempt(length), 0)
        state = jax.lax.while_loop(going, advance, state)
        _, trial, image, good, slope, count = state
        good = good & (slope < 0)
        x = jnp.where(good, trial, x)
        return x, jnp.where(good, gradient + image, gradient), good, count + 1

    def within(gradient, along):
        """Conjugate gradients for the minimum over the face, starting at 0."""
        rhs = along(-gradient)
        first = rhs @ rhs
        enough = jnp.maximum(SHARE**2 * first, (0.1 * tolerance) ** 2)

        def going(state):
            *_, error, count = state
            return (error > enough) & (count < PRODUCTS)

        def advance(state):
            step, residual, direction, error, count = state
            image = along(product(direction))
            curvature = direction @ image
            length = error / jnp.where(curvature > 0, curvature, jnp.inf)
            step = step + length * direction
            residual = residual - length * image
            new_error = residual @ residual
            momentum = new_error / jnp.where(error > 0, error, 1)
            direction = residual + momentum * direction
            return step, residual, direction, new_error, count + 1

        state = (jnp.zeros_like(rhs), rhs, rhs, first, 0)
        step, *_, count = jax.lax.while_loop(going, advance, state)
        return step, count

    def gradient_step(x, gradient, projected):
        """Against the gradient, up to the exact minimum along its projection."""
        curvature = projected @ product(projected)
        length = -(gradient @ projected) / jnp.where(curvature > 0, curvature, jnp.inf)
        length = jnp.clip(length, 1e-12, 1)
        x, gradient, good, count = search(x, gradient, -gradient, length)
        return x, gradient, good, count + 1

    def no_step(x, gradient, projected):
        del projected
        return x, gradient, True, 0

    def going(state):
        return (state.residual > tolerance) & state.moves & (state.rounds < ROUNDS)

    def advance(state):
        x, gradient = state.x, state.gradient
        projected = onto(x - gradient) - x
        inside = jnp.sum(face(x, gradient)(gradient) ** 2)
        # No gradient step while the active bounds are nearly correct.
        leave = (jnp.sum(projected**2) > 2 * inside) | state.cut
        x, gradient, moved_off, products = jax.lax.cond(
            leave, gradient_step, no_step, x, gradient, projected
        )
        step, face_products = within(gradient, face(x, gradient))
        x, gradient, moved_within, trials = search(
            x, gradient, step, jnp.ones((), x.dtype)
        )
        return _State(
            x,
            gradient,
            residual(x, gradient),
            moved_off | moved_within,
            trials > 1,
            state.products + products + face_products + trials,
            state.rounds + 1,
        )

    x = onto(jnp.where(upper > 0, 1.0, 0.0).astype(matrix.dtype))
    gradient = product(x) - linear
    state = _State(x, gradient, residual(x, gradient), True, True, 1, 0)
    state = jax.lax.while_loop(going, advance, state)
    return Solution(state.x, state.residual, state.products)
