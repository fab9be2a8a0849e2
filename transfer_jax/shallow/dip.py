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
    """A projection, and how far its minimisation came."""

    mean: Array  # (d,), of the examples of both domains
    projection: Array  # (d, k), orthonormal columns
    objective: Array  # ()
    slope: Array  # (), norm of the gradient on the manifold, as a share of the first
    steps: Array  # (), that were taken


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
    """Projects both domains where their distributions differ least.

    Minimises the squared maximum mean discrepancy of the projected examples W^T x over
    W (d, k) with W^T W = I, biased, with the kernel
    exp(-|u - v|^2 / sigma), or (1 + u^T v)^2 for kernel='polynomial'. The latter is a
    difference of first and second moments, so it needs no matrix of kernel values. Both
    depend on the span of W alone: the search is on the Grassmann manifold, from the
    principal directions of the pooled examples, which are centred. The authors take
    conjugate gradients.

    With `clustering` = lambda above 0 (DIP-CC) it adds (lambda / sigma) times the sum
    of squared distances of projected source examples to the mean of their class.

    Args:
      kernel: 'gaussian' or 'polynomial'.
      width: sigma; the median squared distance between source examples where not given.
      classes: for `clustering`.
      steps: at most.
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
        raise ValueError('clustering is of labels: pass `classes`')

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

        # Directions that the examples do not span are any, at right angles.
        start = grassmann.orthonormal(pooled.directions)
        found = grassmann.minimise(objective, start, steps=steps, tolerance=tolerance)
        return InvariantProjection(
            pooled.mean,
            found.point,
            found.value,
            found.slope,
            found.steps.astype(found.value.dtype),
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
        own = mean(share_s, u, share_s, u) + mean(share_t, v, share_t, v)
        return own - 2 * mean(share_s, u, share_t, v)

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
    """Padding becomes 0, so that no number in it is of any weight."""
    there = samples.mask[:, None] > 0
    return samples._replace(x=jnp.where(there, samples.x - mean, 0))


def _median(samples) -> Array:
    """The median squared distance between two examples; 1 where that is 0."""
    there = samples.mask > 0
    pair = there[:, None] & there & ~jnp.eye(len(there), dtype=bool)
    distances = ops.squared_distances(samples.x, samples.x)
    # Every pair is there twice; what is no pair goes to the end.
    distances = jnp.where(pair, distances, jnp.inf).ravel()
    middle = jnp.maximum(jnp.sum(pair) // 2, 1) - 1
    median = ops.order_statistic(distances, middle)
    spread = jnp.max(jnp.sum(samples.x**2, 1))
    rounding = 16 * jnp.finfo(median.dtype).eps * spread
    return jnp.where(jnp.isfinite(median) & (median > rounding), median, 1)


def _within(samples, classes) -> Array:
    """Scatter (d, d) of the labelled examples about the means of their classes."""
    there = (samples.label >= 0) & (samples.mask > 0)
    own = jax.nn.one_hot(samples.label, classes, dtype=samples.x.dtype)
    own = own * there[:, None]
    count = jnp.sum(own, 0)
    means = own.T @ samples.x / jnp.where(count > 0, count, 1)[:, None]
    apart = (samples.x - own @ means) * there[:, None]
    return apart.T @ apart
