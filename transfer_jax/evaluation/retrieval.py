"""Search by descriptors: whitening, exact search in blocks, query expansion."""

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
    """Centring, rotation and scaling."""

    mean: Array  # (d,)
    projection: Array  # (d, k)


class Answers(NamedTuple):
    """The nearest of a gallery for each query, nearest first."""

    index: Array  # (q, k) into the gallery; -1 where it has fewer than k
    score: Array  # (q, k), the cosine, or minus the squared distance; -inf at -1


def fit_whitening(
    x: Array, dimension: int | None = None, *, floor: float = 1e-6
) -> Whitening:
    """PCA-whitening learned on a set (n, d) (Jegou and Chum, ECCV 2012, section 2).

    Keeps the first `dimension` principal directions (all if None) and divides each by
    its standard deviation, in float64. Directions with less than `floor` times the
    variance of the first are noise, and are mapped to 0.

    Raises:
      ValueError: more directions than features, or than n - 1 examples span.
    """
    n, d = x.shape
    most = min(n - 1, d)
    dimension = most if dimension is None else dimension
    if not 1 <= dimension <= most:
        raise ValueError(
            f'dimension {dimension}: {n} examples of {d} features span {most}'
        )
    with jax.enable_x64(True):
        x = jnp.asarray(x, jnp.float64)
        mean = jnp.mean(x, 0)
        value, vector = jnp.linalg.eigh((x - mean).T @ (x - mean) / n)
        value, vector = value[::-1][:dimension], vector[:, ::-1][:, :dimension]
        kept = value > floor * value[0]
        scale = jnp.where(kept, 1 / jnp.sqrt(jnp.where(kept, value, 1)), 0)
        return Whitening(mean, vector * scale)


def whiten(fitted: Whitening, x: Array) -> Array:
    """(n, d) -> (n, k) float32, whitened and then normalised, as in the paper."""
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
) -> Answers:
    """The k nearest in `gallery` (g, d) of each of `queries` (q, d), exactly.

    Queries and gallery are gone through in blocks of at most `block` rows: beside the
    answers (q, k), memory holds block x (block + k) scores, whatever q and g are. Of
    equally near items the one with the lower index comes first.

    Args:
      measure: 'cosine' or 'l2'.
      leave_out: (q,), an index into the gallery that must not be an answer, such as the
        query itself; -1: none.

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

    def compare(some, rows):
        if measure == 'cosine':
            return ops.l2_normalise(some) @ ops.l2_normalise(rows).T
        return -ops.squared_distances(some, rows)

    def against(gallery_block, state):
        some, without, best = state
        first = gallery_block * wide
        start = jnp.minimum(first, g - wide)  # the last block overlaps
        rows = jax.lax.dynamic_slice_in_dim(gallery, start, wide)
        index = start + jnp.arange(wide)
        score = compare(some, rows)
        seen = (index < first)[None] | (index[None] == without[:, None])
        score = jnp.where(seen, -jnp.inf, score)
        both = jnp.concatenate([best.score, score], 1)
        score, place = jax.lax.top_k(both, k)
        index = jnp.broadcast_to(index, (some.shape[0], wide))
        found = jnp.concatenate([best.index, index], 1)
        index = jnp.take_along_axis(found, place, 1)
        best = Answers(jnp.where(jnp.isfinite(score), index, -1), score)
        return some, without, best

    def answer(query_block, answers):
        start = jnp.minimum(query_block * high, q - high)
        some = jax.lax.dynamic_slice_in_dim(queries, start, high)
        without = jax.lax.dynamic_slice_in_dim(leave_out, start, high)
        none = Answers(
            jnp.full((high, k), -1), jnp.full((high, k), -jnp.inf, queries.dtype)
        )
        best = jax.lax.fori_loop(0, -(-g // wide), against, (some, without, none))[2]
        return jax.tree.map(
            lambda whole, part: jax.lax.dynamic_update_slice_in_dim(
                whole, part, start, 0
            ),
            answers,
            best,
        )

    high, wide = min(block, q), min(block, g)
    answers = Answers(jnp.full((q, k), -1), jnp.full((q, k), -jnp.inf, queries.dtype))
    return jax.lax.fori_loop(0, -(-q // high), answer, answers)


def expand(queries: Array, gallery: Array, answers: Answers, count: int) -> Array:
    """Average query expansion (Chum et al., ICCV 2007, section 4): new queries (q, d).

    The mean of the normalised query and its first `count` answers, normalised; search
    with it again. In the paper the answers are those verified by geometry; here, as is
    usual with global descriptors, the nearest.

    Raises:
      ValueError: fewer answers than `count`.
    """
    if not 1 <= count <= answers.index.shape[1]:
        raise ValueError(f'count {count}: need 1 to {answers.index.shape[1]} answers')
    index = answers.index[:, :count]
    near = ops.l2_normalise(gallery)[index]
    near = jnp.where((index >= 0)[..., None], near, 0)
    return ops.l2_normalise(ops.l2_normalise(queries) + jnp.sum(near, 1))
