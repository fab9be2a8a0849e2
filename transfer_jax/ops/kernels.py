"""Kernels between two samples, and the median heuristic for their width.

A kernel is a function (n, d), (m, d) -> (n, m), the matrix of its values. Inputs of 16
bits are computed in float32.
"""

from collections.abc import Callable

import chex
import jax.numpy as jnp
from jax import lax

from transfer_jax.ops import precision
from transfer_jax.types import Array

Kernel = Callable[[Array, Array], Array]


@precision.full_precision
def squared_distances(x: Array, y: Array) -> Array:
    """||x_i - y_j||^2, (n, d), (m, d) -> (n, m); never negative.

    The mean of x is subtracted from both first, because far from the origin squared
    lengths would cancel to noise.
    """
    chex.assert_rank([x, y], 2)
    x, y = precision.at_least_float32((x, y))
    center = lax.stop_gradient(jnp.mean(x, 0))
    x, y = x - center, y - center
    lengths = jnp.sum(x * x, -1)[:, None] + jnp.sum(y * y, -1)
    return jnp.maximum(lengths - 2 * x @ y.T, 0.0)


@precision.full_precision
def linear_kernel(x: Array, y: Array) -> Array:
    """<x_i, y_j>, (n, d), (m, d) -> (n, m)."""
    x, y = precision.at_least_float32((x, y))
    return x @ y.T


def gaussian_kernel(variances: Array) -> Kernel:
    """The mean of Gaussians, mean_k exp(-||x - y||^2 / (2 variances_k)).

    Args:
      variances: (k,), squared widths.
    """

    def kernel(x, y):
        distances = squared_distances(x, y)
        return sum(jnp.exp(-distances / (2 * v)) for v in variances) / len(variances)

    return kernel


def median_variance(x: Array) -> Array:
    """Half the median squared distance between the rows of x, (n, d) -> ().

    As the variance of a Gaussian, it gives the median pair the kernel value 1/e
    (Gretton et al. 2012, section 8; Garreau et al. 2017). For an even number of pairs
    the median is the lower of the two in the middle. The result is a constant in
    gradients. If the median is zero up to rounding (constant rows), the result is 1, to
    avoid a kernel of width zero.
    """
    chex.assert_rank(x, 2)
    x, n = precision.at_least_float32(x), x.shape[0]
    distances = lax.stop_gradient(squared_distances(x, x))
    # The diagonal is sorted to the end; every pair occurs twice.
    distances = jnp.where(jnp.eye(n, dtype=bool), jnp.inf, distances)
    median = order_statistic(distances.ravel(), max(n * (n - 1) // 2, 1) - 1)
    largest = jnp.max(jnp.sum(jnp.square(x - jnp.mean(x, 0)), -1))
    rounding = 16 * jnp.finfo(x.dtype).eps * lax.stop_gradient(largest)
    usable = jnp.isfinite(median) & (median > rounding)
    return jnp.where(usable, median / 2, 1.0)


def multi_kernel(x: Array, count: int = 5, factor: float = 2.0) -> Kernel:
    """Gaussians around the median width, with variances median * factor^k.

    k = -(count // 2), ..., count // 2, with equal coefficients. Deep Adaptation
    Networks (Long et al. 2015, section 4.1) have factors from 2^-8 to 2^8; five kernels
    of factor 2 are those of the authors' code, which sums them around the mean
    distance. The widths are constants in gradients.

    Args:
      x: (n, d), the pooled sample whose median distance is used.
      count: odd number of kernels.
    """
    median = median_variance(x)
    powers = jnp.arange(count, dtype=median.dtype) - count // 2
    return gaussian_kernel(median * factor**powers)


def order_statistic(x: Array, rank: int) -> Array:
    """The value at index `rank` of sorted x, for x (n,) >= 0.

    Bisects over the bits of the numbers, whose order is that of the numbers. This takes
    one pass per bit; sorting takes many times longer on CPU.
    """
    chex.assert_rank(x, 1)
    x = jnp.abs(
        precision.at_least_float32(x)
    )  # the sign of -0.0 would put it below all others
    bits = lax.bitcast_convert_type(x, jnp.int32 if x.itemsize == 4 else jnp.int64)

    def halve(_, bounds):
        low, high = bounds  # the result is in (low, high]
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        enough = jnp.sum(bits <= middle) > rank
        return jnp.where(enough, low, middle), jnp.where(enough, middle, high)

    top = jnp.array(jnp.iinfo(bits.dtype).max, bits.dtype)
    bounds = (jnp.array(-1, bits.dtype), top)
    _, result = lax.fori_loop(0, 8 * x.itemsize, halve, bounds)
    return lax.bitcast_convert_type(result, x.dtype)
