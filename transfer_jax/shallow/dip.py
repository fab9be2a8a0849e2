"""Domain Invariant Projection (Baktashmotlagh et al., ICCV 2013)."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.shallow import checks, grassmann, subspaces
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array, Samples


class InvariantProjection(NamedTuple):
    """A projection, and the state of its minimisation."""

    mean: Array  # (d,), of the examples of both domains
    projection: Array  # (d, k), orthonormal columns
    objective: Array  # ()
    slope: Array  # (), norm of the gradient on the manifold, as a share of the first
    steps: Array  # (), number of steps taken


def dip(
    dimension: int,
    *,
    kernel: str = 'gaussian',
    width: float | Array | None = None,
    clustering: float | Array = 0.0,
    classes: int | None = None,
    steps: int = 200,
    tolerance: float | Array = 1e-5,
) -> Shallow:
    """Projects both domains onto the subspace where their distributions differ least.

    Minimises the squared maximum mean discrepancy (biased estimate) of the projected
    examples W^T x over W (d, k) with W^T W = I. The kernel is exp(-|u - v|^2 / sigma),
    or (1 + u^T v)^2 with kernel='polynomial'. The latter compares first and second
    moments, so it needs no matrix of kernel values. Both objectives depend only on the
    span of W. The search is on the Grassmann manifold and starts from the principal
    directions of the pooled, centred examples.

    With `clustering` = lambda above 0 (DIP-CC) it adds (lambda / sigma) times the sum
    of squared distances of projected source examples to the mean of their class.

    Deviation: L-BFGS, where the authors use conjugate gradients.

    Args:
      kernel: 'gaussian' or 'polynomial'.
      width: sigma; by default the median squared distance between source examples.
      classes: the number of classes, for `clustering`.
      steps: the maximum number of steps.
      tolerance: the norm of the gradient at which to stop, as a share of the first.

    Raises:
      ValueError: another kernel, a dimension below 1 or above that of the features,
        a width that is not positive, `clustering` below 0 or without `classes`.
    """
    subspaces.check_dimension(dimension)
    if kernel not in KERNELS:
        raise ValueError(f'no kernel {kernel!r}; choose from {", ".join(KERNELS)}')
    checks.not_negative('clustering', clustering)
    checks.not_negative('tolerance', tolerance)
    if width is not None:
        checks.positive('width', width)
    clusters = isinstance(clustering, jax.Array) or clustering > 0
    if clusters and classes is None:
        raise ValueError('clustering needs the number of classes: pass `classes`')

    def fit(key, source, target):
        del key
        subspaces.check_dimension(dimension, source.x.shape[1])
        pooled = subspaces.principal(
            jnp.concatenate([source.x, target.x]),
            jnp.concatenate([source.mask, target.mask]),
            dimension,
        )
        source, target = (_centred(s, pooled.mean) for s in (source, target))
        sigma = _median(source) if width is None else width
        discrepancy = KERNELS[kernel](source, target, sigma)
        within = _within(source, classes) if clusters else None

        def objective(w):
            value = discrepancy(w)
            if clusters:
                value += clustering / sigma * jnp.sum(w * (within @ w))
            return value

        # Directions outside the span of the examples are arbitrary orthonormal ones.
        start = grassmann.orthonormal(pooled.directions)
        minimum = grassmann.minimise(objective, start, steps=steps, tolerance=tolerance)
        return InvariantProjection(
            pooled.mean,
            minimum.point,
            minimum.value,
            minimum.slope,
            minimum.steps.astype(minimum.value.dtype),
        )

    def project(fitted, x):
        return (x - fitted.mean) @ fitted.projection

    return Shallow(fit, project, project)


def _gaussian(source, target, sigma) -> Callable[[Array], Array]:
    share_s, share_t = (s.mask / jnp.sum(s.mask) for s in (source, target))

    def mean(a, u, b, v):
        return a @ jnp.exp(-ops.squared_distances(u, v) / sigma) @ b

    def discrepancy(w):
        u, v = source.x @ w, target.x @ w
        within = mean(share_s, u, share_s, u) + mean(share_t, v, share_t, v)
        return within - 2 * mean(share_s, u, share_t, v)

    return discrepancy


def _polynomial(source, target, sigma) -> Callable[[Array], Array]:
    """(1 + u^T v)^2 = 1 + 2 u^T v + <u u^T, v v^T>: means and second moments."""
    del sigma
    share_s, share_t = (s.mask / jnp.sum(s.mask) for s in (source, target))
    first = share_s @ source.x - share_t @ target.x
    second = (source.x.T * share_s) @ source.x - (target.x.T * share_t) @ target.x

    def discrepancy(w):
        return 2 * jnp.sum((first @ w) ** 2) + jnp.sum((w.T @ second @ w) ** 2)

    return discrepancy


KERNELS = {'gaussian': _gaussian, 'polynomial': _polynomial}


def _centred(samples, mean) -> Samples:
    """Centred examples, with 0 in padding."""
    present = samples.mask[:, None] > 0
    return samples._replace(x=jnp.where(present, samples.x - mean, 0))


def _median(samples) -> Array:
    """The median squared distance between two examples; 1 where that is 0."""
    present = samples.mask > 0
    pair = present[:, None] & present & ~jnp.eye(len(present), dtype=bool)
    distances = ops.squared_distances(samples.x, samples.x)
    # Every pair occurs twice; other entries are sorted to the end.
    distances = jnp.where(pair, distances, jnp.inf).ravel()
    middle = jnp.maximum(jnp.sum(pair) // 2, 1) - 1
    median = ops.order_statistic(distances, middle)
    largest = jnp.max(jnp.sum(samples.x**2, 1))
    rounding = 16 * jnp.finfo(median.dtype).eps * largest
    return jnp.where(jnp.isfinite(median) & (median > rounding), median, 1)


def _within(samples, classes) -> Array:
    """Scatter (d, d) of the labelled examples about the means of their classes."""
    present = (samples.label >= 0) & (samples.mask > 0)
    own = jax.nn.one_hot(samples.label, classes, dtype=samples.x.dtype)
    own = own * present[:, None]
    count = jnp.sum(own, 0)
    means = own.T @ samples.x / jnp.where(count > 0, count, 1)[:, None]
    deviations = (samples.x - own @ means) * present[:, None]
    return deviations.T @ deviations
