"""Retrieval with descriptors: whitening, exact blockwise search, query expansion."""

import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array

BLOCK = 1_024
MEASURES = ('cosine', 'l2')


class Whitening(NamedTuple):
    """A fitted PCA-whitening: centring, then rotation and scaling."""

    mean: Array  # (d,)
    projection: Array  # (d, k)


class Neighbours(NamedTuple):
    """The nearest items of a gallery for each query, nearest first."""

    index: Array  # (q, k) into the gallery; -1 where it has fewer than k items
    score: Array  # (q, k), the cosine, or minus the squared distance; -inf at -1


def fit_whitening(
    x: Array, dimension: int | None = None, *, floor: float = 1e-6
) -> Whitening:
    """PCA-whitening learned from a set (n, d) (Jegou and Chum, ECCV 2012, section 2).

    Projects onto the first `dimension` principal directions (all if None) and divides
    each by its standard deviation, in float64. A direction with less than `floor` times
    the variance of the first is noise and is mapped to 0.

    Raises:
      ValueError: `dimension` exceeds the number of features, or the n - 1 directions
        that n examples span.
    """
    n, d = x.shape
    largest = min(n - 1, d)
    dimension = largest if dimension is None else dimension
    if not 1 <= dimension <= largest:
        raise ValueError(
            f'dimension {dimension}: {n} examples of {d} features span {largest}'
        )
    with jax.enable_x64(True):
        x = jnp.asarray(x, jnp.float64)
        mean = jnp.mean(x, 0)
        value, vector = jnp.linalg.eigh((x - mean).T @ (x - mean) / n)
        value, vector = value[::-1][:dimension], vector[:, ::-1][:, :dimension]
        varies = value > floor * value[0]
        scale = jnp.where(varies, 1 / jnp.sqrt(jnp.where(varies, value, 1)), 0)
        return Whitening(mean, vector * scale)


def whiten(fitted: Whitening, x: Array) -> Array:
    """(n, d) -> (n, k) float32: whitened, then normalised, as in the paper."""
    with jax.enable_x64(True):
        x = (jnp.asarray(x, jnp.float64) - fitted.mean) @ fitted.projection
        return ops.l2_normalise(x).astype(jnp.float32)


@functools.partial(jax.jit, static_argnames=('k', 'measure', 'block'))
def search(
    queries: Array,
    gallery: Array,
    k: int,
    *,
    measure: str = 'cosine',
    leave_out: Array | None = None,
    block: int = BLOCK,
) -> Neighbours:
    """The exact k nearest neighbours in `gallery` (g, d) of each of `queries` (q, d).

    Queries and gallery are processed in blocks of at most `block` rows. Besides the
    result (q, k), memory holds block x (block + k) scores, whatever q and g are. Among
    equally near items the one with the lower index comes first.

    Args:
      measure: 'cosine' or 'l2'.
      leave_out: (q,), an index into the gallery to exclude for each query, such as the
        query itself; -1 excludes none.

    Raises:
      ValueError: another measure, or k below 1.
    """
    chex.assert_rank([queries, gallery], 2)
    chex.assert_equal_shape_suffix([queries, gallery], 1)
    if measure not in MEASURES:
        raise ValueError(f'no measure {measure!r}; choose from {", ".join(MEASURES)}')
    if k < 1 or block < 1:
        raise ValueError(f'k {k} and block {block}: need at least 1')
    (q, _), (g, _) = queries.shape, gallery.shape
    if leave_out is None:
        leave_out = jnp.full(q, -1)

    def scores(query_rows, gallery_rows):
        if measure == 'cosine':
            return ops.linear_kernel(
                ops.l2_normalise(query_rows), ops.l2_normalise(gallery_rows)
            )
        return -ops.squared_distances(query_rows, gallery_rows)

    def merge_gallery_block(gallery_block, state):
        query_rows, excluded, best = state
        first = gallery_block * gallery_size
        start = jnp.minimum(first, g - gallery_size)  # the last block overlaps
        rows = jax.lax.dynamic_slice_in_dim(gallery, start, gallery_size)
        index = start + jnp.arange(gallery_size)
        score = scores(query_rows, rows)
        skipped = (index < first)[None] | (index[None] == excluded[:, None])
        score = jnp.where(skipped, -jnp.inf, score)
        all_scores = jnp.concatenate([best.score, score], 1)
        score, position = jax.lax.top_k(all_scores, k)
        index = jnp.broadcast_to(index, (query_rows.shape[0], gallery_size))
        all_indices = jnp.concatenate([best.index, index], 1)
        index = jnp.take_along_axis(all_indices, position, 1)
        best = Neighbours(jnp.where(jnp.isfinite(score), index, -1), score)
        return query_rows, excluded, best

    def search_query_block(query_block, neighbours):
        start = jnp.minimum(query_block * query_size, q - query_size)
        query_rows = jax.lax.dynamic_slice_in_dim(queries, start, query_size)
        excluded = jax.lax.dynamic_slice_in_dim(leave_out, start, query_size)
        none = Neighbours(
            jnp.full((query_size, k), -1),
            jnp.full((query_size, k), -jnp.inf, queries.dtype),
        )
        best = jax.lax.fori_loop(
            0,
            -(-g // gallery_size),
            merge_gallery_block,
            (query_rows, excluded, none),
        )[2]
        return jax.tree.map(
            lambda whole, part: jax.lax.dynamic_update_slice_in_dim(
                whole, part, start, 0
            ),
            neighbours,
            best,
        )

    query_size, gallery_size = min(block, q), min(block, g)
    neighbours = Neighbours(
        jnp.full((q, k), -1), jnp.full((q, k), -jnp.inf, queries.dtype)
    )
    return jax.lax.fori_loop(0, -(-q // query_size), search_query_block, neighbours)


def expand(queries: Array, gallery: Array, neighbours: Neighbours, count: int) -> Array:
    """Average query expansion (Chum et al., ICCV 2007, section 4): new queries (q, d).

    A new query is the normalised mean of the normalised query and its first `count`
    neighbours; search with it again. The paper averages geometrically verified results.
    Here, as is usual with global descriptors, they are the nearest neighbours.

    Raises:
      ValueError: there are fewer neighbours than `count`.
    """
    if not 1 <= count <= neighbours.index.shape[1]:
        raise ValueError(
            f'count {count}: need 1 to {neighbours.index.shape[1]} neighbours'
        )
    index = neighbours.index[:, :count]
    near = ops.l2_normalise(gallery)[index]
    near = jnp.where((index >= 0)[..., None], near, 0)
    return ops.l2_normalise(ops.l2_normalise(queries) + jnp.sum(near, 1))
