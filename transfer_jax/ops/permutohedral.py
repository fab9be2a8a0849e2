"""Gaussian filtering of many values at scattered points, on the permutohedral lattice.

Values are spread on the vertices of the simplex that holds each point, blurred along
the d + 1 directions of the lattice, and read with the weights that spread them (Adams,
Baek, Davis, Eurographics 2010). The time is linear in the number of points.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from transfer_jax.types import Array

PASSES = 4  # of [1, 4, 1] / 6 along each direction, of variance 1/3 each
CHUNK = 8  # points are added to a vertex so many at a time: additions scatter slowly
SIZES = 4  # to an octave that arrays are padded to, so that few programs are compiled


class Lattice(NamedTuple):
    """n points of d dimensions among m vertices, of which the last is none.

    vertices: (n, d + 1) those of the simplex that holds a point.
    weights: (n, d + 1) its barycentric coordinates, which sum to 1.
    points: (r, 8) the same by vertex: points that share a vertex.
    shares: (r, 8) their weights, 0 where there is no point.
    owners: (r,) the vertex of each row of points.
    neighbours: (d + 1, 2, m) the vertices before and after one, along each direction.
    scale: () a Gaussian of height 1 per unit of weight on the lattice.
    """

    vertices: np.ndarray
    weights: np.ndarray
    points: np.ndarray
    shares: np.ndarray
    owners: np.ndarray
    neighbours: np.ndarray
    scale: np.ndarray


def lattice_filter(features: Array) -> Callable[[Array], Array]:
    """v -> K v, (n, c) -> (n, c), with K_ij about exp(-||f_i - f_j||^2 / 2), f (n, d).

    K is symmetric and positive semidefinite. Where few vertices have points, the blur
    loses a part: sums of rows are 3 to 5 % too small on photographs, and up to a third
    on flat images. Normalisation by these sums makes up for it. Features get no
    gradient. The lattice is built on the host: ValueError if features are traced.
    """
    if isinstance(features, jax.core.Tracer):
        raise ValueError(
            'features are traced, and the lattice is built outside of jit and grad: '
            'leave the image out of them, or choose exact_filter'
        )
    return jax.tree_util.Partial(apply, build(features))


@jax.custom_vjp
def apply(lattice: Lattice, values: Array) -> Array:
    """Spread, blur and read, (n, c) -> (n, c); its own transpose.

    The directions are blurred in one order and then in the other. In one order only, as
    in the paper, the filter is not symmetric: vertices without values are missing.
    """
    kind, m = values.dtype, lattice.neighbours.shape[-1]
    owned = _weighted(lattice.shares.astype(kind), values, lattice.points)
    on = jax.ops.segment_sum(owned, lattice.owners, m, indices_are_sorted=True)

    def blur(on, neighbours):
        before, after = neighbours
        return (4 * on + on[before] + on[after]) / 6, None

    there = jnp.concatenate([jnp.asarray(lattice.neighbours)] * (PASSES // 2))
    on, _ = lax.scan(blur, on, there)
    on, _ = lax.scan(blur, on, there[::-1])
    read = _weighted(lattice.weights.astype(kind), on, lattice.vertices)
    return lattice.scale.astype(kind) * read


def _weighted(weights, rows, places):
    """sum_k weights_ik rows[places_ik]; one by one, which XLA fuses with the lookup."""
    return sum(w[:, None] * rows[p] for w, p in zip(weights.T, places.T, strict=True))


def _forward(lattice, values):
    return apply(lattice, values), lattice


def _backward(lattice, gradient):
    return None, apply(lattice, gradient)


apply.defvjp(_forward, _backward)


def build(features: Array) -> Lattice:
    """The lattice of points (n, d) at which a Gaussian of width 1 is applied.

    Deviations from the paper, for accuracy: four passes of [1, 4, 1] / 6 in place of
    one of [1, 2, 1] / 4, on a lattice that is finer by as much; and neighbours of
    occupied vertices belong to it, or the blur would lose what crosses them. Raises
    ValueError where points are too many widths apart to number the vertices.
    """
    x = np.asarray(features, np.float64)
    n, d = x.shape
    side = d + 1
    # Spreading and reading have a variance of side^2 / 12 each, a pass along all
    # directions side^2 times its own (section 3.1): in all that of the Gaussian.
    spread = side * np.sqrt(2 / 12 + PASSES / 3)
    origin, rank, weights = _simplices(spread * (x - x.mean(0)) @ _plane(d).T)
    # The number of a vertex is linear in its coordinates. Room for the corners of a
    # simplex and for steps from them keeps two vertices from sharing a number.
    low = (origin.min(0) - 3) * side
    sizes = ((origin.max(0) + 3) * side - low + 1)[:d]
    if np.prod(sizes.astype(float)) >= 2.0**62:
        raise ValueError(
            f'features span {np.ptp(x, 0).max():.3g} widths of the Gaussian: too many '
            'for the lattice, choose a wider one'
        )
    radix = np.append(np.cumprod(np.append(1, sizes[:-1])), 0)  # the last is implied
    steps = radix.sum() - side * radix  # +1 in all coordinates, -d in one
    base = (origin * side - low) @ radix
    corners = [side * ((rank > d - k) @ radix) for k in range(side)]
    numbers = np.stack([base + k * radix.sum() - c for k, c in enumerate(corners)], 1)
    occupied, vertices = np.unique(numbers, return_inverse=True)
    around = [occupied + sign * step for step in steps for sign in (1, -1)]
    every = np.unique(np.concatenate([occupied, *around]))
    vertices = np.searchsorted(every, occupied)[vertices].reshape(n, side)
    # A Gaussian's integral over the volume that belongs to a vertex.
    scale = np.sqrt(side) * (2 * np.pi * (spread / side) ** 2) ** (d / 2)
    m = _padded(len(every) + 1)
    return Lattice(
        vertices.astype(np.int32),
        weights.astype(np.float32),
        *_by_vertex(vertices, weights, m),
        _neighbours(every, steps, m),
        np.float32(scale),
    )


def _plane(d: int) -> np.ndarray:
    """(d + 1, d), an orthonormal basis of the plane where coordinates sum to 0."""
    j = np.arange(1, d + 1)
    basis = np.triu(np.ones((d + 1, d)))
    basis[j, j - 1] = -j
    return basis / np.sqrt(j * (j + 1))


def _simplices(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The simplex of each point (n, d + 1) of the plane (section 3.1, proposition 4).

    Its corner of remainder 0, divided by d + 1; the rank of each coordinate's distance
    from it, the largest first; barycentric coordinates. The corner of remainder k is k
    further in every coordinate, and d + 1 back in the k of the highest rank.
    """
    n, side = x.shape
    x = x / side
    origin = np.round(x).astype(np.int64)
    order = np.argsort(origin - x, 1, kind='stable')
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(side)[None], 1)
    rank += origin.sum(1, keepdims=True)  # rounded to the plane: the nearest give way
    wrap = (rank < 0).astype(np.int64) - (rank >= side)
    rank += side * wrap
    origin += wrap
    ordered = np.empty_like(x)
    np.put_along_axis(ordered, rank, x - origin, 1)
    weights = np.roll(ordered, 1, 1) - ordered
    weights[:, 0] += 1
    weights[:, 1:] = weights[:, :0:-1].copy()
    return origin, rank, weights


def _by_vertex(vertices, weights, m):
    """Points and their weights by vertex, in rows of eight of one vertex."""
    n, side = vertices.shape
    flat = vertices.ravel()
    order = np.argsort(flat, kind='stable')
    counts = np.bincount(flat, minlength=m)
    rows = -(-counts // CHUNK)
    first = np.cumsum(rows) - rows
    within = np.arange(n * side) - np.repeat(np.cumsum(counts) - counts, counts)
    place = CHUNK * np.repeat(first, counts) + within
    total = _padded(rows.sum())
    points = np.zeros(total * CHUNK, np.int32)
    shares = np.zeros(total * CHUNK, np.float32)
    points[place] = order // side
    shares[place] = weights.ravel()[order]
    owners = np.full(total, m - 1, np.int32)
    owners[: rows.sum()] = np.repeat(np.arange(m), rows)
    return points.reshape(-1, CHUNK), shares.reshape(-1, CHUNK), owners


def _neighbours(every, steps, m):
    found = np.full((len(steps), 2, m), m - 1, np.int32)
    for (before, after), step in zip(found, steps, strict=True):
        at = np.minimum(np.searchsorted(every, every + step), len(every) - 1)
        start = np.flatnonzero(every[at] == every + step)
        after[start] = at[start]
        before[at[start]] = start
    return found


def _padded(count: int) -> int:
    step = max(1, 2 ** (int(count).bit_length() - 1) // SIZES)
    return -(-int(count) // step) * step
