"""The gradient reversal layer (Ganin & Lempitsky 2015, eq. 9 and 10)."""

import jax
import jax.numpy as jnp

from transfer_jax.types import Array, PyTree


@jax.custom_vjp
def reverse_gradient(x: PyTree, strength: Array | float) -> PyTree:
    """Identity forward; backward, the gradient times -strength.

    R(x) = x,  dR/dx = -strength * I.

    `strength` is an ordinary traced argument, so a schedule causes no recompilation.
    Its gradient is defined as zero.

    Args:
      x: an array or a tree of arrays.
      strength: () lambda of the paper; 0 stops the gradient.
    """
    del strength
    return x


def _forward(x, strength):
    return x, strength


def _backward(strength, gradient):
    reversed_gradient = jax.tree.map(
        lambda g: -jnp.asarray(strength, g.dtype) * g, gradient
    )
    return reversed_gradient, jnp.zeros_like(strength)


reverse_gradient.defvjp(_forward, _backward)
