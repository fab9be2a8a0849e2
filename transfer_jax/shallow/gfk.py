"""Geodesic Flow Kernel (Gong, Shi, Sha and Grauman, CVPR 2012), and its diagnostics."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.shallow import checks, pls, shallow, subspaces
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array, Samples


class GeodesicFlow(NamedTuple):
    """A feature map whose inner products are the kernel."""

    factor: Array  # (d, 2k), factor factor^T = G


class Disagreement(NamedTuple):
    """The disagreement of the domains' principal subspaces with that of their union."""

    dimension: int  # the smallest with disagreement 1
    values: np.ndarray  # (dimension,), the disagreement for dimension 1, 2, ...


def gfk(dimension: int, *, classes: int | None = None) -> Shallow:
    """Compares examples in all subspaces between those of the source and the target.

    With Phi(t) the geodesic from the source subspace, t = 0, to the target subspace,
    t = 1, the kernel is x^T G z, G = integral of Phi(t) Phi(t)^T dt (section 3.2). Its
    closed form needs the principal vectors a_i, b_i and angles theta_i of the two
    subspaces. About the middle of the flow G is diagonal: it is the sum of
    1/2 (1 + sin(theta_i) / theta_i) m_i m_i^T, m_i = (a_i + b_i) / |a_i + b_i|, and
    1/2 (1 - sin(theta_i) / theta_i) p_i p_i^T, p_i = (b_i - a_i) / |b_i - a_i|. So the
    features are 2k coordinates whose inner products and distances are those of the
    kernel, for any k = `dimension`; the complement of a subspace is not needed.

    Subspaces are spanned by principal directions (PCA). With `classes` the source
    subspace is spanned by the weights of partial least squares on its labels, GFK(PLS,
    PCA) in the paper. Directions are those of centred features, while the features they
    map are not centred, as in the authors' code. If one domain spans fewer than k
    directions, the flow leads to the same number of nearest directions in the other.

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
    # sin(angle / 2) / angle, finite for angle 0
    half = jnp.sinc(angle / (2 * jnp.pi)) / 2
    middle = jnp.sqrt((1 + jnp.sinc(angle / jnp.pi)) / 2) / (2 * jnp.cos(angle / 2))
    difference = jnp.sqrt(_deficit(angle) / 2) / (2 * half)
    return jnp.concatenate(
        [(vectors.a + vectors.b) * middle, (vectors.b - vectors.a) * difference], 1
    )


def _deficit(angle):
    """(1 - sin(angle) / angle) / angle^2, by a series at small angles."""
    square = angle**2
    series = 1 / 6 - square / 120 * (1 - square / 42 * (1 - square / 72))
    small = square < 1e-2
    safe = jnp.where(small, 1, angle)
    return jnp.where(small, series, (1 - jnp.sin(safe) / safe) / safe**2)


def rank_of_domain(source: Samples, target: Samples, dimension: int) -> Array:
    """The mismatch of a source and a target, () (Gong et al., section 3.4).

    The mean over the principal vectors of theta_i (KL(S_i || T_i) + KL(T_i || S_i)),
    with S_i and T_i one-dimensional Gaussians of the source along a_i and of the target
    along b_i. It is 0 between a domain and itself. The experiments do not use it; it is
    for choosing among several sources, of which the one with the lowest value is best.

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
    valid = vectors.paired & (variance_s > 0) & (variance_t > 0)
    variance_s = jnp.where(valid, variance_s, 1)
    variance_t = jnp.where(valid, variance_t, 1)
    # The sum of both directions, in which the logarithms cancel.
    ratio = (variance_s + gap) / variance_t + (variance_t + gap) / variance_s
    each = jnp.where(valid, vectors.angle * (ratio / 2 - 1), 0)
    return jnp.sum(each) / jnp.maximum(jnp.sum(valid), 1)


def subspace_disagreement(
    source: Samples, target: Samples, *, tolerance: float = 1e-2
) -> Disagreement:
    """The dimension chosen by the subspace disagreement measure (Gong et al., 2012).

    D(d) = (sin(alpha_d) + sin(beta_d)) / 2, where alpha_d and beta_d are the largest
    angles of the d-dimensional principal subspaces of source and target with that of
    both pooled. The result is the smallest d with D(d) = 1. No labels are needed. It is
    computed on the host, because a dimension determines shapes. The experiments do not
    use it; it is for setting the `dimension` of subspace methods.

    Args:
      tolerance: D(d) >= 1 - tolerance counts as 1. The paper gives no value, but the
        angles of samples are never exactly right angles.

    Raises:
      ValueError: no dimension reaches 1, up to half the number of features and the rank
        of each domain.
    """
    checks.not_negative('tolerance', tolerance)
    with jax.enable_x64(True):
        source, target = shallow.double(source), shallow.double(target)
        both = Samples(*(jnp.concatenate(p) for p in zip(source, target, strict=True)))
        largest = max(source.x.shape[1] // 2, 1)
        basis_s, basis_t, pooled = (
            np.asarray(subspaces.principal_directions(s.x, s.mask, largest))
            for s in (source, target, both)
        )
    largest = min(int(np.sum(np.any(basis, 0))) for basis in (basis_s, basis_t))
    cross_s, cross_t = basis_s.T @ pooled, basis_t.T @ pooled
    values = []
    for d in range(1, largest + 1):
        cosines = (
            np.linalg.svd(cross[:d, :d], compute_uv=False)[-1]
            for cross in (cross_s, cross_t)
        )
        values.append(sum(np.sqrt(max(1 - c * c, 0)) for c in cosines) / 2)
        if values[-1] >= 1 - tolerance:
            return Disagreement(d, np.array(values))
    raise ValueError(
        f'tolerance {tolerance}: the disagreement of subspaces of 1 to {largest} '
        f'dimensions reaches {max(values, default=0):.4g}, not 1'
    )


def _moments(samples, directions):
    """Mean and variance (k,) along each direction."""
    share = samples.mask / jnp.sum(samples.mask)
    along = samples.x @ directions
    mean = share @ along
    return mean, share @ (along - mean) ** 2
