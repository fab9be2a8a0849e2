"""The width of a Gaussian kernel that fits two domains together."""

import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array, Samples

MOST = 500  # rows whose distances are ranked


def pooled_variance(source: Samples, target: Samples) -> Array:
    """Half the median squared distance between rows of both domains together, ().

    The median heuristic, as ops.median_variance, of at most 500 rows that stand
    evenly in the source followed by the target: ranking the distances of all takes
    longer than a method that needs the width. Padding does not count.
    """
    x = jnp.concatenate([source.x, target.x])
    mask = jnp.concatenate([source.mask, target.mask])
    index, there = spread_rows(mask, MOST)
    x = jnp.where(there[:, None], x[index], 0)
    count = jnp.sum(there)
    middle = jnp.sum(x, 0) / jnp.where(count > 0, count, 1)
    x = jnp.where(there[:, None], x - middle, 0)
    distances = jax.lax.stop_gradient(ops.squared_distances(x, x))
    pairs = (there[:, None] & there) & ~jnp.eye(len(x), dtype=bool)
    distances = jnp.where(pairs, distances, jnp.inf)
    # Every pair is there twice; of an even number the lower of the two in the middle.
    rank = jnp.maximum(count * (count - 1) // 2, 1) - 1
    median = ops.order_statistic(distances.ravel(), rank)
    rounding = 16 * jnp.finfo(x.dtype).eps * jnp.max(jnp.sum(x**2, 1))
    usable = jnp.isfinite(median) & (median > rounding)
    return jnp.where(usable, median / 2, 1.0)


def spread_rows(mask: Array, most: int) -> tuple[Array, Array]:
    """(index (k,), there (k,)) of at most `most` rows that stand evenly among the real.

    k is the smaller of `most` and the length of the mask; where fewer rows are real,
    the last of `there` are False. Padding changes neither which rows nor their order.
    """
    order = jnp.argsort(mask <= 0)  # stable: the real rows first
    count = jnp.sum(mask > 0)
    size = min(len(mask), most)
    place = jnp.arange(size) * jnp.maximum(count, size) // size
    return order[jnp.minimum(place, len(mask) - 1)], place < count
