"""L-BFGS for smooth convex functions (Liu and Nocedal, Mathematical Programming 1989).

The step is halved until the value falls by a share of what the slope says (Armijo).
optax.lbfgs has a longer line search, which takes many times as long to compile.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax.types import Array

MEMORY = 10
SHARE = 1e-4  # of the slope's decrease that a step must reach
HALVINGS = 30  # of a step, at most


class _State(NamedTuple):
    point: Array  # (p,)
    value: Array  # ()
    gradient: Array  # (p,)
    moves: Array  # (MEMORY, p), the newest last
    changes: Array  # (MEMORY, p), of the gradient
    count: Array  # (), steps done


def minimise(
    function: Callable[[Array], Array],
    start: Array,
    enough: float | Array,
    steps: int,
) -> tuple[Array, Array]:
    """(point (p,), squared length of its gradient ()).

    Stops where the squared length is at most `enough`, or after `steps`.
    """
    with_gradient = jax.value_and_grad(function)

    def goes_on(state):
        return (state.count < steps) & (jnp.sum(state.gradient**2) > enough)

    def step(state):
        direction = -_times_inverse_hessian(state)
        slope = jnp.sum(direction * state.gradient)
        # The first direction has the length of the gradient, which says little.
        first = jnp.minimum(1, 1 / jnp.linalg.norm(state.gradient))

        def too_far(carry):
            length, halvings, value, _ = carry
            limit = state.value + SHARE * length * slope
            return (halvings < HALVINGS) & ~(value <= limit)

        def halve(carry):
            length, halvings, *_ = carry
            return attempt(length / 2, halvings + 1)

        def attempt(length, halvings):
            value, gradient = with_gradient(state.point + length * direction)
            return length, halvings, value, gradient

        length = jnp.where(state.count == 0, first, 1.0)
        length, _, value, gradient = jax.lax.while_loop(
            too_far, halve, attempt(length, 0)
        )
        move, change = length * direction, gradient - state.gradient
        return _State(
            state.point + move,
            value,
            gradient,
            jnp.concatenate([state.moves[1:], move[None]]),
            jnp.concatenate([state.changes[1:], change[None]]),
            state.count + 1,
        )

    none = jnp.zeros((MEMORY, *start.shape), start.dtype)
    state = _State(start, *with_gradient(start), none, none, jnp.zeros((), int))
    state = jax.lax.while_loop(goes_on, step, state)
    return state.point, jnp.sum(state.gradient**2)


def _times_inverse_hessian(state: _State) -> Array:
    """The product of the gradient with the estimate of the inverse Hessian."""
    product = jnp.sum(state.moves * state.changes, 1)
    used = product > 0
    rho = jnp.where(used, 1 / jnp.where(used, product, 1), 0)

    def back(q, pair):
        move, change, rho = pair
        alpha = rho * jnp.sum(move * q)
        return q - alpha * change, alpha

    def forth(q, pair):
        move, change, rho, alpha = pair
        return q + move * (alpha - rho * jnp.sum(change * q)), None

    pairs = (state.moves, state.changes, rho)
    q, alpha = jax.lax.scan(back, state.gradient, pairs, reverse=True)
    size = jnp.sum(state.changes[-1] ** 2)
    scale = jnp.where(used[-1], product[-1] / jnp.where(size > 0, size, 1), 1)
    return jax.lax.scan(forth, scale * q, (*pairs, alpha))[0]
