"""The width of a Gaussian kernel for two domains together."""

import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array, Samples

MAX_ROWS = 500  # whose distances are ranked


def pooled_variance(source: Samples, target: Samples) -> Array:
    """Half the median squared distance between rows of both domains together, ().

    The median heuristic, as ops.median_variance, on at most 500 rows, evenly spaced in
    the source followed by the target. Ranking all distances would take longer than the
    methods that need the width. Padding does not count.
    """
    x = jnp.concatenate([source.x, target.x])
    mask = jnp.concatenate([source.mask, target.mask])
    index, present = evenly_spaced_rows(mask, MAX_ROWS)
    x = jnp.where(present[:, None], x[index], 0)
    count = jnp.sum(present)
    middle = jnp.sum(x, 0) / jnp.where(count > 0, count, 1)
    x = jnp.where(present[:, None], x - middle, 0)
    distances = jax.lax.stop_gradient(ops.squared_distances(x, x))
    pairs = (present[:, None] & present) & ~jnp.eye(len(x), dtype=bool)
    distances = jnp.where(pairs, distances, jnp.inf)
    # Every pair occurs twice; for an even number take the lower of the two medians.
    rank = jnp.maximum(count * (count - 1) // 2, 1) - 1
    median = ops.order_statistic(distances.ravel(), rank)
    rounding = 16 * jnp.finfo(x.dtype).eps * jnp.max(jnp.sum(x**2, 1))
    usable = jnp.isfinite(median) & (median > rounding)
    return jnp.where(usable, median / 2, 1.0)


def evenly_spaced_rows(mask: Array, largest: int) -> tuple[Array, Array]:
    """(index (k,), present (k,)) of at most `largest` evenly spaced rows.

    k is the smaller of `largest` and the length of the mask. If fewer rows are real,
    the last entries of `present` are False. Padding affects neither the choice of rows
    nor their order.
    """
    order = jnp.argsort(mask <= 0)  # stable: the real rows first
    count = jnp.sum(mask > 0)
    size = min(len(mask), largest)
    position = jnp.arange(size) * jnp.maximum(count, size) // size
    return order[jnp.minimum(position, len(mask) - 1)], position < count
