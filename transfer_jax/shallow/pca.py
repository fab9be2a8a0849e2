"""Joint PCA: both domains in the principal subspace of their union."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax.shallow import subspaces
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


class JointPCA(NamedTuple):
    """Coordinates in a subspace through the mean of all examples."""

    mean: Array  # (d,)
    directions: Array  # (d, k), 0 beyond the rank


def pca(dimension: int) -> Shallow:
    """Projects both domains on the principal directions of the pooled examples.

    x becomes (x - m) P, with m (d,) the mean of all source and target examples and P
    (d, k) their first k = `dimension` principal directions; the baseline that tables
    since Long et al. (ICCV 2013) call PCA. It moves neither domain to the other. Where
    the examples span fewer directions, the last coordinates are 0.

    Raises:
      ValueError: a dimension below 1, or above that of the features.
    """
    subspaces.check_dimension(dimension)

    def fit(key, source, target):
        del key
        subspaces.check_dimension(dimension, source.x.shape[1])
        x = jnp.concatenate([source.x, target.x])
        mask = jnp.concatenate([source.mask, target.mask])
        found = subspaces.principal(x, mask, dimension)
        return JointPCA(found.mean, found.directions)

    def project(fitted, x):
        return (x - fitted.mean) @ fitted.directions

    return Shallow(fit, project, project)
