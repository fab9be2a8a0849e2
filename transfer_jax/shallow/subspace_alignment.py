"""Subspace Alignment (Fernando, Habrard, Sebban and Tuytelaars, ICCV 2013)."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


class SubspaceAlignment(NamedTuple):
    """Two maps into the coordinates of the target subspace."""

    source: Array  # (d, k), X_S X_S^T X_T
    target: Array  # (d, k), X_T


def subspace_alignment(dimension: int) -> Shallow:
    """Rotates the source's principal subspace onto the target's.

    X_S and X_T (d, k) hold the first k = `dimension` principal directions of each
    domain. The alignment minimises |X_S M - X_T|_F^2 (eq. 1, 2), which is solved by
    M = X_S^T X_T (eq. 3). A source example x becomes x X_S M, a target example x X_T
    (section 3.3).

    As in the authors' code, directions are those of centred features, while the
    features that they map are not centred. A domain that spans fewer than k directions
    contributes those that it spans; there the authors' code has arbitrary ones.

    Raises:
      ValueError: a dimension below 1, or above that of the features.
    """
    if dimension < 1:
        raise ValueError(f'dimension {dimension}: a subspace needs at least 1')

    def fit(key, source, target):
        del key
        if dimension > source.x.shape[1]:
            raise ValueError(
                f'dimension {dimension}: the features have {source.x.shape[1]}'
            )
        xs = _principal_directions(source.x, source.mask, dimension)
        xt = _principal_directions(target.x, target.mask, dimension)
        return SubspaceAlignment(xs @ (xs.T @ xt), xt)

    def map_source(fitted, x):
        return x @ fitted.source

    def map_target(fitted, x):
        return x @ fitted.target

    return Shallow(fit, map_source, map_target)


def _principal_directions(x: Array, mask: Array, count: int) -> Array:
    """Orthonormal columns (d, count) by falling variance, 0 where there is none."""
    n, d = x.shape
    centred = (x - mask @ x / jnp.sum(mask)) * mask[:, None]
    # The smaller of the two matrices with the same eigenvalues.
    few = n < d
    gram = centred @ centred.T if few else centred.T @ centred
    value, vector = jnp.linalg.eigh(gram)
    value, vector = value[::-1][:count], vector[:, ::-1][:, :count]
    varies = value > max(n, d) * jnp.finfo(x.dtype).eps * value[0]
    if few:
        vector = centred.T @ vector / jnp.sqrt(jnp.where(varies, value, 1))
    found = jnp.where(varies, vector, 0)
    return jnp.pad(found, ((0, 0), (0, count - found.shape[1])))
