"""Geodesic Flow Kernel (Gong, Shi, Sha and Grauman, CVPR 2012), and its diagnostics."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.shallow import checks, pls, shallow, subspaces
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array, Samples


class GeodesicFlow(NamedTuple):
    """A map whose inner products are the kernel."""

    factor: Array  # (d, 2k), factor factor^T = G


class Disagreement(NamedTuple):
    """How the principal subspaces of both domains differ from that of their union."""

    dimension: int  # the smallest at which the disagreement is 1
    values: np.ndarray  # (dimension,), the disagreement of 1, 2, ...


def gfk(dimension: int, *, classes: int | None = None) -> Shallow:
    """Compares examples in all subspaces between the source's and the target's.

    With Phi(t) the geodesic from the source's subspace, t = 0, to the target's, t = 1,
    the kernel is x^T G z, G = integral of Phi(t) Phi(t)^T dt (section 3.2). In closed
    form it needs the principal vectors a_i, b_i and angles theta_i of the two
    subspaces. About the middle of the flow G is diagonal: it is the sum of
    1/2 (1 + sin(theta_i) / theta_i) m_i m_i^T, m_i = (a_i + b_i) / |a_i + b_i|, and
    1/2 (1 - sin(theta_i) / theta_i) p_i p_i^T, p_i = (b_i - a_i) / |b_i - a_i|. So the
    features are 2k coordinates whose inner products and distances are the kernel's, for
    any k = `dimension` and without the complement of a subspace.

    Subspaces are those of principal directions (PCA). With `classes` the source's holds
    the weights of partial least squares on its labels, GFK(PLS, PCA) in the paper.
    Directions are those of centred features; the features that they map are not
    centred, as in the authors' code. Where one domain spans fewer than k directions,
    the flow leads from them to as many of the other's that are nearest.

    Raises:
      ValueError: a dimension below 1, or above that of the features.
    """
    subspaces.check_dimension(dimension)

    def fit(key, source, target):
        del key
        subspaces.check_dimension(dimension, source.x.shape[1])
        if classes is None:
            xs = subspaces.principal_directions(source.x, source.mask, dimension)
        else:
            xs = pls.fit_pls(source, classes, dimension).weights
        xt = subspaces.principal_directions(target.x, target.mask, dimension)
        return GeodesicFlow(flow_factor(subspaces.principal_vectors(xs, xt)))

    def project(fitted, x):
        return x @ fitted.factor

    return Shallow(fit, project, project)


def flow_factor(vectors: subspaces.PrincipalVectors) -> Array:
    """F (d, 2k) with F F^T the integral over the flow between two subspaces."""
    angle = vectors.angle
    # sin(angle / 2) / angle, finite where the subspaces meet
    half = jnp.sinc(angle / (2 * jnp.pi)) / 2
    middle = jnp.sqrt((1 + jnp.sinc(angle / jnp.pi)) / 2) / (2 * jnp.cos(angle / 2))
    apart = jnp.sqrt(_deficit(angle) / 2) / (2 * half)
    return jnp.concatenate(
        [(vectors.a + vectors.b) * middle, (vectors.b - vectors.a) * apart], 1
    )


def _deficit(angle):
    """(1 - sin(angle) / angle) / angle^2, which cancels at small angles."""
    square = angle**2
    series = 1 / 6 - square / 120 * (1 - square / 42 * (1 - square / 72))
    small = square < 1e-2
    safe = jnp.where(small, 1, angle)
    return jnp.where(small, series, (1 - jnp.sin(safe) / safe) / safe**2)


def rank_of_domain(source: Samples, target: Samples, dimension: int) -> Array:
    """How ill a source fits a target, () (Gong et al., section 3.4).

    The mean over the principal vectors of theta_i (KL(S_i || T_i) + KL(T_i || S_i)),
    with S_i and T_i one-dimensional Gaussians of the source along a_i and of the target
    along b_i. A domain lies at 0 from itself. Of several sources the lowest is to be
    preferred.

    Args:
      dimension: of the subspaces; the paper takes that of `subspace_disagreement`.

    Raises:
      ValueError: a dimension below 1, or above that of the features.
    """
    subspaces.check_dimension(dimension, source.x.shape[1])
    with jax.enable_x64(True):
        return _rank_of_domain(
            shallow.double(source), shallow.double(target), dimension
        )


@jax.jit(static_argnums=2)
def _rank_of_domain(source, target, dimension):
    xs = subspaces.principal_directions(source.x, source.mask, dimension)
    xt = subspaces.principal_directions(target.x, target.mask, dimension)
    vectors = subspaces.principal_vectors(xs, xt)
    mean_s, variance_s = _moments(source, vectors.a)
    mean_t, variance_t = _moments(target, vectors.b)
    gap = (mean_s - mean_t) ** 2
    there = vectors.paired & (variance_s > 0) & (variance_t > 0)
    variance_s = jnp.where(there, variance_s, 1)
    variance_t = jnp.where(there, variance_t, 1)
    # Both directions together; their logarithms cancel.
    ratio = (variance_s + gap) / variance_t + (variance_t + gap) / variance_s
    each = jnp.where(there, vectors.angle * (ratio / 2 - 1), 0)
    return jnp.sum(each) / jnp.maximum(jnp.sum(there), 1)


def subspace_disagreement(
    source: Samples, target: Samples, *, tolerance: float = 1e-2
) -> Disagreement:
    """The dimension that the subspace disagreement measure chooses (Gong et al., 2012).

    D(d) = (sin(alpha_d) + sin(beta_d)) / 2, where alpha_d and beta_d are the largest
    angles of the d-dimensional principal subspaces of source and target with that of
    both pooled; the smallest d with D(d) = 1 is taken. Needs no labels. Computed on the
    host, because the answer is a shape.

    Args:
      tolerance: how near to 1 is 1. The paper does not say; angles of samples are never
        quite right ones.

    Raises:
      ValueError: no dimension up to half of the features, or to the rank of a domain,
        reaches it.
    """
    checks.not_negative('tolerance', tolerance)
    with jax.enable_x64(True):
        source, target = shallow.double(source), shallow.double(target)
        both = Samples(*(jnp.concatenate(p) for p in zip(source, target, strict=True)))
        most = max(source.x.shape[1] // 2, 1)
        own_s, own_t, pooled = (
            np.asarray(subspaces.principal_directions(s.x, s.mask, most))
            for s in (source, target, both)
        )
    most = min(int(np.sum(np.any(own, 0))) for own in (own_s, own_t))
    cross_s, cross_t = own_s.T @ pooled, own_t.T @ pooled
    values = []
    for d in range(1, most + 1):
        cosines = (
            np.linalg.svd(cross[:d, :d], compute_uv=False)[-1]
            for cross in (cross_s, cross_t)
        )
        values.append(sum(np.sqrt(max(1 - c * c, 0)) for c in cosines) / 2)
        if values[-1] >= 1 - tolerance:
            return Disagreement(d, np.array(values))
    raise ValueError(
        f'tolerance {tolerance}: the disagreement of subspaces of 1 to {most} '
        f'dimensions reaches {max(values, default=0):.4g}, not 1'
    )


def _moments(samples, directions):
    """Mean and variance (k,) along each direction."""
    share = samples.mask / jnp.sum(samples.mask)
    along = samples.x @ directions
    mean = share @ along
    return mean, share @ (along - mean) ** 2
