"""Subspace Alignment (Fernando, Habrard, Sebban and Tuytelaars, ICCV 2013)."""

from typing import NamedTuple

from transfer_jax.shallow import subspaces
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


class SubspaceAlignment(NamedTuple):
    """Two maps into the coordinates of the target subspace."""

    source: Array  # (d, k), X_S X_S^T X_T
    target: Array  # (d, k), X_T


def subspace_alignment(dimension: int) -> Shallow:
    """Aligns the principal subspace of the source with that of the target.

    X_S and X_T (d, k) hold the first k = `dimension` principal directions of each
    domain. The alignment minimises |X_S M - X_T|_F^2 (eq. 1, 2), which is solved by
    M = X_S^T X_T (eq. 3). A source example x becomes x X_S M, a target example x X_T
    (section 3.3).

    As in the authors' code, directions are those of centred features, while the mapped
    features are not centred. A domain that spans fewer than k directions contributes
    only those; the authors' code adds arbitrary ones.

    Raises:
      ValueError: a dimension below 1, or above that of the features.
    """
    subspaces.check_dimension(dimension)

    def fit(key, source, target):
        del key
        subspaces.check_dimension(dimension, source.x.shape[1])
        xs = subspaces.principal_directions(source.x, source.mask, dimension)
        xt = subspaces.principal_directions(target.x, target.mask, dimension)
        return SubspaceAlignment(xs @ (xs.T @ xt), xt)

    def map_source(fitted, x):
        return x @ fitted.source

    def map_target(fitted, x):
        return x @ fitted.target

    return Shallow(fit, map_source, map_target)
