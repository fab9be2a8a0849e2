"""Joint PCA: both domains in the principal subspace of their union."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax.shallow import subspaces
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


class JointPCA(NamedTuple):
    """The mean and the principal directions of all examples."""

    mean: Array  # (d,)
    directions: Array  # (d, k), 0 beyond the rank


def pca(dimension: int) -> Shallow:
    """Projects both domains onto the principal directions of the pooled examples.

    x becomes (x - m) P, with m (d,) the mean of all source and target examples and P
    (d, k) their first k = `dimension` principal directions. Since Long et al. (ICCV
    2013) tables call this baseline PCA. It does not align the domains. If the examples
    span fewer directions, the last coordinates are 0.

    Raises:
      ValueError: a dimension below 1, or above that of the features.
    """
    subspaces.check_dimension(dimension)

    def fit(key, source, target):
        del key
        subspaces.check_dimension(dimension, source.x.shape[1])
        x = jnp.concatenate([source.x, target.x])
        mask = jnp.concatenate([source.mask, target.mask])
        principal = subspaces.principal(x, mask, dimension)
        return JointPCA(principal.mean, principal.directions)

    def project(fitted, x):
        return (x - fitted.mean) @ fitted.directions

    return Shallow(fit, project, project)
