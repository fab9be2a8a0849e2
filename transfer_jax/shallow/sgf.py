"""Geodesic Flow Sampling (Gopalan, Li and Chellappa, ICCV 2011)."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax.shallow import checks, pls, subspaces
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


class SampledFlow(NamedTuple):
    """An affine map into projections on the subspaces of a flow, or a part of them."""

    matrix: Array  # (d, r)
    offset: Array  # (r,)


def sgf(
    dimension: int,
    *,
    subspaces_sampled: int = 8,
    components: int | None = None,
    classes: int | None = None,
) -> Shallow:
    """Projects examples on subspaces between the source's and the target's.

    From the principal subspace of the source, t = 0, to that of the target, t = 1, both
    of k = `dimension` dimensions, the geodesic is Phi(t), with the columns
    a_i cos(t theta_i) + n_i sin(t theta_i) for principal vectors a_i, b_i at angles
    theta_i and n_i the unit vector in their plane at right angles to a_i.
    An example becomes its projections Phi(t)^T x for s = `subspaces_sampled` equally
    spaced t from 0 to 1, one after the other, s k numbers.

    The paper then takes partial least squares of the source's labels, because s k is
    large. That is done where `components` are given; without, the projections are
    taken as they are. For s to infinity their inner products, divided by s, are those
    of the geodesic flow kernel (`gfk`).

    Args:
      components: of partial least squares, on the projected source.
      classes: for these labels.

    Raises:
      ValueError: a dimension below 1 or above that of the features, fewer than 2
        subspaces, components that are not 1 to s k or that lack `classes`.
    """
    subspaces.check_dimension(dimension)
    if subspaces_sampled < 2:
        raise ValueError(
            f'subspaces_sampled {subspaces_sampled}: both ends of the flow are 2'
        )
    if components is not None:
        checks.dimension(components, dimension * subspaces_sampled, 'projections')
        if classes is None:
            raise ValueError('components are those of labels: pass `classes`')

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
        found = pls.fit_pls(projected, classes, components)
        offset = -found.mean @ found.rotations
        return SampledFlow(matrix @ found.rotations, offset)

    def project(fitted, x):
        return x @ fitted.matrix + fitted.offset

    return Shallow(fit, project, project)


def flow(vectors: subspaces.PrincipalVectors, times: Array) -> Array:
    """Orthonormal bases (s, d, k) of the subspaces at `times` (s,) of the geodesic.

    A basis vector at t is (a sin((1 - t) theta) + b sin(t theta)) / sin(theta); 0 where
    a principal vector has no partner.
    """
    angle = vectors.angle
    t = times[:, None]
    # Quotients of sines are those of t where the subspaces meet.
    whole = jnp.sinc(angle / jnp.pi)
    of_a = (1 - t) * jnp.sinc((1 - t) * angle / jnp.pi) / whole
    of_b = t * jnp.sinc(t * angle / jnp.pi) / whole
    return vectors.a * of_a[:, None, :] + vectors.b * of_b[:, None, :]
