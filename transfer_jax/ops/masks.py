"""From score maps to masks: a share for each class and the background."""

import chex
import jax.numpy as jnp

from transfer_jax.types import Array


def with_background(maps: Array, present: Array, background: float | Array) -> Array:
    """Shares of background and classes, (n, h, w, c), (n, c) -> (n, h, w, 1 + c).

    The map of a class that is present is divided by its highest value, from 0 on: r =
    max(x, 0) / max x. The background is `background` everywhere, and shares are
    proportional to these numbers; so a place belongs to the class with the highest r,
    or to the background where no r is above it. Classes that are not present, or whose
    map is positive nowhere, have no share. The first entry is the background.

    A background of a fixed height is the threshold of class activation maps (Zhou et
    al., CVPR 2016, section 3.2, with 0.2 for boxes).

    Args:
      present: 1 or true for the classes that an image shows, or is predicted to show.
      background: above 0, below 1.

    Raises:
      ValueError: another background.
    """
    chex.assert_rank([maps, present], [4, 2])
    if isinstance(background, float | int) and not 0 < background < 1:
        raise ValueError(f'background {background}: must lie between 0 and 1')
    high = jnp.max(maps, (1, 2), keepdims=True)
    shown = (present[:, None, None] > 0) & (high > 0)
    share = jnp.maximum(maps, 0) / jnp.where(high > 0, high, 1)
    share = jnp.where(shown, share, 0)
    level = jnp.full((*maps.shape[:3], 1), background, maps.dtype)
    every = jnp.concatenate([level, share], -1)
    return every / jnp.sum(every, -1, keepdims=True)
