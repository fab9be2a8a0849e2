"""Discrepancies between two samples of features.

Each loss is one number for two samples, (n, d) and (m, d), not a mean over examples. On
several devices, gather the features first (ops.collective.gather): the average of the
values per device is a different number.
"""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
import optax

from transfer_jax import ops
from transfer_jax.ops.kernels import Kernel
from transfer_jax.types import Array


def mmd_biased(source: Array, target: Array, *, kernel: Kernel) -> Array:
    """Squared maximum mean discrepancy, biased, (n, d), (m, d) -> ().

    mean_ij k(s_i, s_j) + mean_ij k(t_i, t_j) - 2 mean_ij k(s_i, t_j)

    (Gretton et al. 2012, eq. 5). It is never negative, and zero for equal samples, up
    to rounding: the three means are of the size of the kernel's values, and their
    difference has the error of one of them. With the linear kernel far from the origin
    that is a large error; `mean_distance` is the same number without it.
    """
    within_source, within_target, between = _grams([source], [target], [kernel])
    return jnp.mean(within_source) + jnp.mean(within_target) - 2 * jnp.mean(between)


def mean_distance(source: Array, target: Array) -> Array:
    """Squared distance of the means ||mean s - mean t||^2, (n, d), (m, d) -> ().

    `mmd_biased` with the linear kernel (Gretton et al. 2012, section 3.3), in O(n d).
    It is never negative. The mean of the source is subtracted from both samples first,
    so that nothing cancels far from the origin.
    """
    chex.assert_rank([source, target], 2)
    source, target = ops.at_least_float32((source, target))
    center = jax.lax.stop_gradient(jnp.mean(source, 0))
    difference = jnp.mean(source - center, 0) - jnp.mean(target - center, 0)
    return jnp.sum(jnp.square(difference))


def mmd_unbiased(source: Array, target: Array, *, kernel: Kernel) -> Array:
    """Squared maximum mean discrepancy, unbiased, (n, d), (m, d) -> ().

    `mmd_biased` without the pairs of an example with itself (Gretton et al. 2012,
    eq. 3). It may be negative, and needs at least two examples of each domain.
    """
    within_source, within_target, between = _grams([source], [target], [kernel])

    def off_diagonal(gram):
        n = gram.shape[0]
        return (jnp.sum(gram) - jnp.trace(gram)) / (n * (n - 1))

    return (
        off_diagonal(within_source)
        + off_diagonal(within_target)
        - 2 * jnp.mean(between)
    )


def mmd_linear(source: Array, target: Array, *, kernel: Kernel) -> Array:
    """Squared maximum mean discrepancy in linear time, (n, d), (n, d) -> ().

    (2/n) sum_i k(s_2i, s_2i+1) + k(t_2i, t_2i+1) - k(s_2i, t_2i+1) - k(s_2i+1, t_2i)

    (Gretton et al. 2012, lemma 14; the estimate of Long et al. 2015, eq. 4). It is
    unbiased and depends on the order of the examples. If n is odd, the last example is
    left out.

    Raises:
      AssertionError: the samples differ in size.
    """
    chex.assert_rank([source, target], 2)
    chex.assert_equal_shape([source, target])
    source, target = ops.at_least_float32((source, target))
    n = source.shape[0] // 2 * 2
    s, s_next = source[0:n:2], source[1:n:2]
    t, t_next = target[0:n:2], target[1:n:2]

    def paired(x, y):
        return jax.vmap(lambda a, b: kernel(a[None], b[None])[0, 0])(x, y)

    return jnp.mean(
        paired(s, s_next) + paired(t, t_next) - paired(s, t_next) - paired(s_next, t)
    )


def joint_mmd(
    source: Sequence[Array], target: Sequence[Array], *, kernels: Sequence[Kernel]
) -> Array:
    """Squared joint maximum mean discrepancy of several layers, biased -> ().

    `mmd_biased` of the product kernel prod_l k_l(x^l, y^l) over the layers l (Long et
    al. 2017, eq. 9): it compares the joint distribution of the layers.

    Args:
      source: for each layer (n, d_l).
      target: for each layer (m, d_l).
      kernels: one for each layer.
    """
    within_source, within_target, between = _grams(source, target, kernels)
    return jnp.mean(within_source) + jnp.mean(within_target) - 2 * jnp.mean(between)


@ops.full_precision
def coral(source: Array, target: Array) -> Array:
    """Distance of covariances ||C_s - C_t||_F^2 / (4 d^2), (n, d), (m, d) -> ().

    C = sum_i (x_i - mean)(x_i - mean)^T / (n - 1) (Sun & Saenko 2016, eq. 1 to 3). With
    more features than examples, the same number is computed from the (n + m)^2 products
    of examples, without a d x d matrix:
    ||C_s - C_t||^2 = sum_ij s_i s_j <z_i, z_j>^2,
    where z are the centred examples divided by sqrt(n - 1), and the sign s is +1 for
    the source and -1 for the target.
    """
    chex.assert_rank([source, target], 2)
    source, target = ops.at_least_float32((source, target))
    d = source.shape[1]
    z_source, z_target = _scatter(source), _scatter(target)
    n, m = source.shape[0], target.shape[0]
    if n + m >= d:
        difference = z_source.T @ z_source - z_target.T @ z_target
        return jnp.sum(difference**2) / (4 * d * d)
    z = jnp.concatenate([z_source, z_target])
    sign = jnp.concatenate([jnp.ones(n), -jnp.ones(m)]).astype(z.dtype)
    squares = sign @ (z @ z.T) ** 2 @ sign
    return jnp.maximum(squares, 0.0) / (4 * d * d)


def cmd(
    source: Array,
    target: Array,
    *,
    moments: int = 5,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Array:
    """Central moment discrepancy, (n, d), (m, d) -> ().

    ||E s - E t|| / |b - a| + sum_{k=2..K} ||c_k(s) - c_k(t)|| / |b - a|^k

    with c_k(x) = E (x - E x)^k per feature (Zellinger et al. 2017, definition 2).

    Args:
      moments: K.
      bounds: (a, b), bounds of the features.
    """
    chex.assert_rank([source, target], 2)
    source, target = ops.at_least_float32((source, target))
    width = abs(bounds[1] - bounds[0])
    means = jnp.mean(source, 0), jnp.mean(target, 0)
    distance = optax.safe_norm(means[0] - means[1], 0.0) / width
    centred = source - means[0], target - means[1]
    for k in range(2, moments + 1):
        difference = jnp.mean(centred[0] ** k, 0) - jnp.mean(centred[1] ** k, 0)
        distance += optax.safe_norm(difference, 0.0) / width**k
    return distance


def _grams(source, target, kernels):
    """Products over layers of kernel values: within source, within target, between.

    The blocks of one kernel matrix of the pooled sample, so its distances are shared
    with a median heuristic on the pooled sample.
    """
    product = 1.0
    for s, t, kernel in zip(source, target, kernels, strict=True):
        chex.assert_rank([s, t], 2)
        pooled = ops.at_least_float32(jnp.concatenate([s, t]))
        product = product * kernel(pooled, pooled)
    n = source[0].shape[0]
    return product[:n, :n], product[n:, n:], product[:n, n:]


def _scatter(x):
    """Centred rows z divided by sqrt(n - 1), so that z^T z is the covariance."""
    return (x - jnp.mean(x, 0)) / jnp.sqrt(jnp.asarray(max(len(x) - 1, 1), x.dtype))
