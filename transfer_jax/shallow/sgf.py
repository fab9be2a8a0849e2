"""Geodesic Flow Sampling (Gopalan, Li and Chellappa, ICCV 2011)."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax.shallow import checks, pls, subspaces
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


class SampledFlow(NamedTuple):
    """An affine map to the projections onto sampled subspaces, or to components."""

    matrix: Array  # (d, r)
    offset: Array  # (r,)


def sgf(
    dimension: int,
    *,
    subspaces_sampled: int = 8,
    components: int | None = None,
    classes: int | None = None,
) -> Shallow:
    """Projects examples onto subspaces between those of the source and the target.

    Phi(t) is the geodesic from the principal subspace of the source, t = 0, to that of
    the target, t = 1, both of k = `dimension` dimensions. Its columns are
    a_i cos(t theta_i) + n_i sin(t theta_i), with principal vectors a_i, b_i at angles
    theta_i, and n_i the unit vector in their plane orthogonal to a_i. An example
    becomes its projections Phi(t)^T x for s = `subspaces_sampled` equally spaced t from
    0 to 1, concatenated to s k numbers.

    The paper then applies partial least squares with the source labels, because s k is
    large. This is done if `components` is given; otherwise the projections are the
    features. As s goes to infinity their inner products, divided by s, become those of
    the geodesic flow kernel (`gfk`).

    Args:
      components: number of components of partial least squares on the projected source.
      classes: the number of classes, for `components`.

    Raises:
      ValueError: a dimension below 1 or above that of the features, fewer than 2
        subspaces, components outside 1 to s k, or components without `classes`.
    """
    subspaces.check_dimension(dimension)
    if subspaces_sampled < 2:
        raise ValueError(
            f'subspaces_sampled {subspaces_sampled}: need at least the 2 ends of the '
            'flow'
        )
    if components is not None:
        checks.dimension(components, dimension * subspaces_sampled, 'projections')
        if classes is None:
            raise ValueError('components needs the number of classes: pass `classes`')

    def fit(key, source, target):
        del key
        subspaces.check_dimension(dimension, source.x.shape[1])
        xs = subspaces.principal_directions(source.x, source.mask, dimension)
        xt = subspaces.principal_directions(target.x, target.mask, dimension)
        times = jnp.linspace(0, 1, subspaces_sampled, dtype=xs.dtype)
        bases = flow(subspaces.principal_vectors(xs, xt), times)
        matrix = jnp.concatenate(list(bases), 1)
        if components is None:
            return SampledFlow(matrix, jnp.zeros(matrix.shape[1], matrix.dtype))
        projected = source._replace(x=source.x @ matrix)
        components_fit = pls.fit_pls(projected, classes, components)
        offset = -components_fit.mean @ components_fit.rotations
        return SampledFlow(matrix @ components_fit.rotations, offset)

    def project(fitted, x):
        return x @ fitted.matrix + fitted.offset

    return Shallow(fit, project, project)


def flow(vectors: subspaces.PrincipalVectors, times: Array) -> Array:
    """Orthonormal bases (s, d, k) of the subspaces at `times` (s,) of the geodesic.

    A basis vector at t is (a sin((1 - t) theta) + b sin(t theta)) / sin(theta); it is 0
    for a principal vector without a partner.
    """
    angle = vectors.angle
    t = times[:, None]
    # Written with sinc, so that the quotients are finite for angle 0.
    whole = jnp.sinc(angle / jnp.pi)
    share_a = (1 - t) * jnp.sinc((1 - t) * angle / jnp.pi) / whole
    share_b = t * jnp.sinc(t * angle / jnp.pi) / whole
    return vectors.a * share_a[:, None, :] + vectors.b * share_b[:, None, :]
