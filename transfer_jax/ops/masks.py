"""From score maps to masks: shares of the classes and the background."""

import chex
import jax.numpy as jnp

from transfer_jax.types import Array


def with_background(maps: Array, present: Array, background: float | Array) -> Array:
    """Shares of background and classes, (n, h, w, c), (n, c) -> (n, h, w, 1 + c).

    The map x of a class that is present is scaled to r = max(x, 0) / max x. The
    background has the value `background` everywhere, and shares are proportional to
    these values. A position thus belongs to the class with the highest r, or to the
    background if no r exceeds it. Classes that are not present, or whose map is nowhere
    positive, have share 0. The first entry is the background.

    A constant background is the threshold of class activation maps (Zhou et al., CVPR
    2016, section 3.2, with 0.2 for boxes).

    Args:
      present: 1 or true for the classes in an image, or predicted to be in it.
      background: between 0 and 1.

    Raises:
      ValueError: background is not between 0 and 1.
    """
    chex.assert_rank([maps, present], [4, 2])
    if isinstance(background, float | int) and not 0 < background < 1:
        raise ValueError(f'background {background}: must lie between 0 and 1')
    high = jnp.max(maps, (1, 2), keepdims=True)
    counted = (present[:, None, None] > 0) & (high > 0)
    scaled = jnp.maximum(maps, 0) / jnp.where(high > 0, high, 1)
    scaled = jnp.where(counted, scaled, 0)
    level = jnp.full((*maps.shape[:3], 1), background, maps.dtype)
    values = jnp.concatenate([level, scaled], -1)
    return values / jnp.sum(values, -1, keepdims=True)
