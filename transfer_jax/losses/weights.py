"""Losses on network weights: distances from other weights or from zero."""

import chex
import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array, PyTree


def l2_sp(
    shared: PyTree,
    start: PyTree,
    new: PyTree,
    *,
    alpha: Array | float,
    beta: Array | float,
) -> Array:
    """alpha / 2 ||shared - start||^2 + beta / 2 ||new||^2, trees -> ().

    L2-SP: pretrained parameters are pulled towards their starting point, new ones
    towards zero (Li, Grandvalet & Davoine, ICML 2018, eq. 2). All leaves count,
    including biases.

    Args:
      shared: parameters of the pretrained layers.
      start: their starting values, a constant in gradients.
      new: parameters of the new layers.
    """
    chex.assert_trees_all_equal_shapes(shared, start)
    start = jax.lax.stop_gradient(start)
    change = jax.tree.map(jnp.subtract, shared, start)
    return alpha / 2 * _squares(change) + beta / 2 * _squares(new)


def squared_map_error(
    source: Array, target: Array, *, scale: Array, shift: Array
) -> Array:
    """||scale source + shift - target||^2, (d,), (d,) -> ().

    Error of a linear map between two layers' parameters (Rozantsev et al. 2018, the L2
    form).

    Args:
      scale: () a, the same for all parameters of the layer.
      shift: () b, the same for all parameters of the layer.
    """
    chex.assert_rank([source, target], 1)
    chex.assert_equal_shape([source, target])
    source, target = ops.at_least_float32((source, target))
    return jnp.sum(jnp.square(scale * source + shift - target))


def exponential_map_error(
    source: Array, target: Array, *, scale: Array, shift: Array, limit: float = 20.0
) -> Array:
    """exp(||scale source + shift - target||^2) - 1, (d,), (d,) -> ().

    (Rozantsev et al. 2018, the exponential form.) The exponential overflows float32
    where the squared error exceeds 88, which a dense layer soon does. Above `limit` it
    is therefore continued by its tangent, exp(limit) (1 + error - limit) - 1, which has
    the same value and slope at `limit` and stays finite.

    Args:
      scale: () a, the same for all parameters of the layer.
      shift: () b, the same for all parameters of the layer.
      limit: squared error up to which the exponential is exact.
    """
    error = squared_map_error(source, target, scale=scale, shift=shift)
    within = jnp.minimum(error, limit)
    beyond = jnp.maximum(error - limit, 0.0)
    return jnp.expm1(within) + jnp.exp(limit) * beyond


def residual_barrier(size: Array, floor: float = 1e-6) -> Array:
    """L - log L, () -> (): smallest at L = 1, large near 0 and for large L.

    Keeps the residuals between two streams from vanishing and from growing (Rozantsev
    et al., CVPR 2018). Below `floor` the logarithm is constant, so the value is finite
    at L = 0, and the logarithm has no gradient there.

    Args:
      size: () L >= 0, the sum of squares of all residuals.
    """
    chex.assert_rank(size, 0)
    size = ops.at_least_float32(size)
    return size - jnp.log(jnp.maximum(size, floor))


def _squares(tree: PyTree) -> Array:
    leaves = jax.tree.leaves(ops.at_least_float32(tree))
    return sum((jnp.sum(jnp.square(x)) for x in leaves), jnp.zeros(()))
