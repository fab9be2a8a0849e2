"""Guided backpropagation's rectifier (Springenberg et al. 2015, section 3.4)."""

import jax
import jax.numpy as jnp

from transfer_jax.types import Array


@jax.custom_vjp
def guided_relu(x: Array) -> Array:
    """max(x, 0) forward; backward, only positive gradients at positive inputs.

    dx = dy where x > 0 and dy > 0, else 0.

    The first condition is that of backpropagation, the second that of a deconvolutional
    network (Zeiler & Fergus 2014). The result is not the gradient of any function. Use
    it to visualise what excites a unit, never for training.
    """
    return jnp.maximum(x, 0)


def _forward(x):
    return jnp.maximum(x, 0), x > 0


def _backward(active, gradient):
    return (jnp.where(active & (gradient > 0), gradient, 0),)


guided_relu.defvjp(_forward, _backward)
