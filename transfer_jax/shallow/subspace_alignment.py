"""Subspace Alignment (Fernando, Habrard, Sebban and Tuytelaars, ICCV 2013)."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax.shallow import checks, subspaces
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


class SubspaceAlignment(NamedTuple):
    """Two maps into the coordinates of the target subspace."""

    source: Array  # (d, k), X_S X_S^T X_T
    target: Array  # (d, k), X_T
    source_mean: Array  # (d,), subtracted before; 0 without centring
    target_mean: Array  # (d,)


def subspace_alignment(dimension: int, *, center: bool = False) -> Shallow:
    """Aligns the principal subspace of the source with that of the target.

    X_S and X_T (d, k) hold the first k = `dimension` principal directions of each
    domain. The alignment minimises |X_S M - X_T|_F^2 (eq. 1, 2), which is solved by
    M = X_S^T X_T (eq. 3). A source example x becomes x X_S M, a target example x X_T
    (section 3.3).

    As in the authors' code, directions are those of centred features, while the mapped
    features are not centred. The result then depends on the origin of the features: if
    their common mean is much longer than their deviation, it is wrong, and the
    pipeline's fit warns. A domain that spans fewer than k directions contributes only
    those; the authors' code adds arbitrary ones.

    Args:
      dimension: k.
      center: subtract its mean from each domain before the map.

    Raises:
      ValueError: a dimension below 1, or above that of the features.
    """
    subspaces.check_dimension(dimension)

    def fit(key, source, target):
        del key
        subspaces.check_dimension(dimension, source.x.shape[1])
        first, second = (
            subspaces.principal(part.x, part.mask, dimension)
            for part in (source, target)
        )
        xs, xt = first.directions, second.directions
        means = jnp.stack([first.mean, second.mean])
        means = means if center else 0 * means
        return SubspaceAlignment(xs @ (xs.T @ xt), xt, *means)

    def map_source(fitted, x):
        return (x - fitted.source_mean) @ fitted.source

    def map_target(fitted, x):
        return (x - fitted.target_mean) @ fitted.target

    def cautions(fitted, source, target):
        del fitted
        return [] if center else checks.far_from_origin(source, target)

    return Shallow(fit, map_source, map_target, cautions=cautions)
