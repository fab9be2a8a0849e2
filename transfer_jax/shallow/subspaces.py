"""What subspace methods share: principal directions, and angles between subspaces."""

from typing import NamedTuple

import chex
import jax.numpy as jnp

from transfer_jax.shallow import leading
from transfer_jax.types import Array


class Principal(NamedTuple):
    """The centre of a sample and its directions by falling variance."""

    mean: Array  # (d,)
    directions: Array  # (d, k), orthonormal columns, 0 where there is none
    scatter: Array  # (k,), sums of squares along them, 0 where there is none


class PrincipalVectors(NamedTuple):
    """Bases a, b of two subspaces with a^T b = diag(cos(angle)), by rising angle.

    Columns that have no partner, because one subspace has fewer dimensions, are 0.
    """

    a: Array  # (d, k)
    b: Array  # (d, k)
    angle: Array  # (k,), radians, 0 without partner
    paired: Array  # (k,), whether there are such vectors


def check_dimension(dimension: int, features: int | None = None) -> None:
    """A subspace needs 1 dimension or more, and no more than the features have.

    Raises:
      ValueError: it has not.
    """
    if dimension < 1:
        raise ValueError(f'dimension {dimension}: a subspace needs at least 1')
    if features is not None and dimension > features:
        raise ValueError(f'dimension {dimension}: the features have {features}')


def principal(x: Array, mask: Array, count: int) -> Principal:
    """Principal component analysis, (n, d) and (n,) -> `count` directions.

    Directions whose variance is rounding are 0, and so are those beyond the rank.
    """
    chex.assert_rank([x, mask], [2, 1])
    n, d = x.shape
    mean = mask @ x / jnp.sum(mask)
    centred = (x - mean) * mask[:, None]
    # The smaller of the two matrices with the same eigenvalues.
    few = n < d
    smaller = centred.T if few else centred
    value, vector = leading.of_gram(smaller, min(count, n, d))
    varies = value > max(n, d) * jnp.finfo(x.dtype).eps * value[0]
    value = jnp.where(varies, value, 0)
    if few:
        vector = centred.T @ vector / jnp.sqrt(jnp.where(varies, value, 1))
    found = jnp.where(varies, vector, 0)
    missing = count - found.shape[1]
    return Principal(
        mean, jnp.pad(found, ((0, 0), (0, missing))), jnp.pad(value, (0, missing))
    )


def principal_directions(x: Array, mask: Array, count: int) -> Array:
    """Orthonormal columns (d, count) by falling variance, 0 where there is none."""
    return principal(x, mask, count).directions


def principal_vectors(a: Array, b: Array) -> PrincipalVectors:
    """Principal vectors and angles of the subspaces that two bases span.

    The singular vectors of a^T b pair the columns (Bjorck and Golub, Mathematics of
    Computation 27, 1973). Cosines do not see angles below 1e-8; so within each pair the
    angle is that whose half has the tangent |a_i - b_i| / |a_i + b_i|.

    Args:
      a: (d, k), orthonormal columns, or 0.
      b: (d, k), likewise.
    """
    chex.assert_equal_shape([a, b])
    no_a, no_b = (jnp.sum(m * m, 0) < 0.5 for m in (a, b))
    # Columns that are 0 on both sides are partners of each other and of nothing else.
    cross = a.T @ b + 2 * jnp.diag(no_a & no_b)
    left, _, right = jnp.linalg.svd(cross)
    right = right.T
    # Where cosines are equal up to rounding, singular vectors are any mixture. The
    # differences tell them apart, and the missing ones from those that are there.
    apart = jnp.concatenate(
        [b @ right - a @ left, 4 * no_a[:, None] * left, 4 * no_b[:, None] * right]
    )
    turn = jnp.linalg.svd(apart, full_matrices=False)[2][::-1].T
    a, b = a @ (left @ turn), b @ (right @ turn)
    paired = (jnp.sum(a * a, 0) > 0.5) & (jnp.sum(b * b, 0) > 0.5)
    a, b = jnp.where(paired, a, 0), jnp.where(paired, b, 0)
    half = jnp.arctan2(_lengths(b - a), _lengths(b + a))
    return PrincipalVectors(a, b, 2 * half, paired)


def _lengths(x):
    return jnp.sqrt(jnp.sum(x * x, 0))
