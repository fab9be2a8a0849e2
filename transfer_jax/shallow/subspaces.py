"""Principal directions, and principal angles between subspaces."""

from typing import NamedTuple

import chex
import jax.numpy as jnp

from transfer_jax.shallow import leading
from transfer_jax.types import Array


class Principal(NamedTuple):
    """The mean of a sample and its directions by descending variance."""

    mean: Array  # (d,)
    directions: Array  # (d, k), orthonormal columns; 0 beyond the rank
    scatter: Array  # (k,), sums of squares along them; 0 beyond the rank


class PrincipalVectors(NamedTuple):
    """Bases a, b of two subspaces, a^T b = diag(cos(angle)), by ascending angle.

    If one subspace has fewer dimensions, columns without a partner are 0.
    """

    a: Array  # (d, k)
    b: Array  # (d, k)
    angle: Array  # (k,), radians, 0 without a partner
    paired: Array  # (k,), whether a and b have a pair of vectors


def check_dimension(dimension: int, features: int | None = None) -> None:
    """Requires a dimension from 1 to the number of features.

    Raises:
      ValueError: the dimension is outside this range.
    """
    if dimension < 1:
        raise ValueError(f'dimension {dimension}: a subspace needs at least 1')
    if features is not None and dimension > features:
        raise ValueError(f'dimension {dimension}: the features have {features}')


def principal(x: Array, mask: Array, count: int) -> Principal:
    """Principal component analysis, (n, d) and (n,) -> `count` directions.

    Directions beyond the rank, up to rounding, are 0.
    """
    chex.assert_rank([x, mask], [2, 1])
    n, d = x.shape
    mean = mask @ x / jnp.sum(mask)
    centred = (x - mean) * mask[:, None]
    # The smaller of the two matrices with the same eigenvalues.
    few = n < d
    smaller = centred.T if few else centred
    value, vector = leading.top_gram_eigenpairs(smaller, min(count, n, d))
    varies = value > max(n, d) * jnp.finfo(x.dtype).eps * value[0]
    value = jnp.where(varies, value, 0)
    if few:
        vector = centred.T @ vector / jnp.sqrt(jnp.where(varies, value, 1))
    directions = jnp.where(varies, vector, 0)
    missing = count - directions.shape[1]
    return Principal(
        mean, jnp.pad(directions, ((0, 0), (0, missing))), jnp.pad(value, (0, missing))
    )


def principal_directions(x: Array, mask: Array, count: int) -> Array:
    """Orthonormal columns (d, count) by descending variance; 0 beyond the rank."""
    return principal(x, mask, count).directions


def principal_vectors(a: Array, b: Array) -> PrincipalVectors:
    """Principal vectors and angles of the subspaces spanned by two bases.

    The singular vectors of a^T b pair the columns (Bjorck and Golub, Mathematics of
    Computation 27, 1973). Cosines cannot resolve angles below 1e-8, so the angle of
    each pair is computed from tan(angle / 2) = |a_i - b_i| / |a_i + b_i|.

    Args:
      a: (d, k), columns that are orthonormal or 0.
      b: (d, k), likewise.
    """
    chex.assert_equal_shape([a, b])
    no_a, no_b = (jnp.sum(m * m, 0) < 0.5 for m in (a, b))
    # Columns that are 0 in both bases are paired with each other only.
    cross = a.T @ b + 2 * jnp.diag(no_a & no_b)
    left, _, right = jnp.linalg.svd(cross)
    right = right.T
    # For cosines equal up to rounding, the singular vectors are arbitrary mixtures.
    # The differences separate them, and separate zero columns from the others.
    differences = jnp.concatenate(
        [b @ right - a @ left, 4 * no_a[:, None] * left, 4 * no_b[:, None] * right]
    )
    rotation = jnp.linalg.svd(differences, full_matrices=False)[2][::-1].T
    a, b = a @ (left @ rotation), b @ (right @ rotation)
    paired = (jnp.sum(a * a, 0) > 0.5) & (jnp.sum(b * b, 0) > 0.5)
    a, b = jnp.where(paired, a, 0), jnp.where(paired, b, 0)
    half = jnp.arctan2(_lengths(b - a), _lengths(b + a))
    return PrincipalVectors(a, b, 2 * half, paired)


def _lengths(x):
    return jnp.sqrt(jnp.sum(x * x, 0))
