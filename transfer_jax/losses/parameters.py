"""Losses on parameters: how far they may be from others, or from zero."""

import chex
import jax
import jax.numpy as jnp

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

    Towards the starting point where there is one and towards zero elsewhere: L2-SP
    (Li, Grandvalet & Davoine, ICML 2018, eq. 2), over all leaves, biases included.

    Args:
      shared: parameters of the layers that were pretrained.
      start: the values that they started from, not differentiated.
      new: parameters of the layers that were not.
    """
    chex.assert_trees_all_equal_shapes(shared, start)
    start = jax.lax.stop_gradient(start)
    apart = jax.tree.map(jnp.subtract, shared, start)
    return alpha / 2 * _squares(apart) + beta / 2 * _squares(new)


def squared_map_error(
    source: Array, target: Array, *, scale: Array, shift: Array
) -> Array:
    """||scale source + shift - target||^2, (d,), (d,) -> ().

    Two layers' parameters up to a linear map (Rozantsev et al. 2018, the L2 form).

    Args:
      scale: () a, the same for all parameters of the layer.
      shift: () b.
    """
    chex.assert_rank([source, target], 1)
    chex.assert_equal_shape([source, target])
    return jnp.sum(jnp.square(scale * source + shift - target))


def exponential_map_error(
    source: Array, target: Array, *, scale: Array, shift: Array, limit: float = 20.0
) -> Array:
    """exp(||scale source + shift - target||^2) - 1, (d,), (d,) -> ().

    (Rozantsev et al. 2018, the exponential form.) It overflows float32 where the
    squared error passes 88, which a dense layer does soon; so from `limit` on it goes
    on as its tangent, exp(limit) (1 + error - limit) - 1, with the same value and slope
    there, and stays finite.

    Args:
      scale: () a, the same for all parameters of the layer.
      shift: () b.
      limit: of the squared error up to which the exponential is exact.
    """
    error = squared_map_error(source, target, scale=scale, shift=shift)
    within = jnp.minimum(error, limit)
    beyond = jnp.maximum(error - limit, 0.0)
    return jnp.expm1(within) + jnp.exp(limit) * beyond


def residual_barrier(size: Array, floor: float = 1e-6) -> Array:
    """L - log L, () -> (): smallest at 1, large near 0 and far off.

    Keeps the residuals between two streams from vanishing and from growing (Rozantsev
    et al., CVPR 2018). Below `floor` the logarithm is constant, so that a residual of
    zero gives a number and no gradient.

    Args:
      size: () L >= 0, the sum of squares of all residuals.
    """
    chex.assert_rank(size, 0)
    return size - jnp.log(jnp.maximum(size, floor))


def _squares(tree: PyTree) -> Array:
    return sum((jnp.sum(jnp.square(x)) for x in jax.tree.leaves(tree)), jnp.zeros(()))
