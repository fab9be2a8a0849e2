"""Kernel Mean Matching (Huang, Smola, Gretton, Borgwardt, Schoelkopf, NIPS 2006)."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.shallow import box_qp, checks, widths
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array

TOLERANCE = 1e-6  # for weights, whose mean is about 1


class KernelMeanMatching(NamedTuple):
    """Weights, the kernel's variance, and the accuracy of the solution."""

    weight: Array  # (n,), 0 in padding
    variance: Array  # (), of the kernel
    residual: Array  # (), of the KKT conditions, in units of a weight


def kmm(
    *,
    variance: float | Array | None = None,
    bound: float | Array = 1000.0,
    slack: float | Array | None = None,
) -> Shallow:
    """Weights source examples so that the domains' means in feature space agree.

    Minimises 1/2 b^T K b - kappa^T b over 0 <= b_i <= `bound` with
    |sum_i b_i - n| <= n `slack`, where K_ij = k(x_i, x_j) for the n source examples,
    kappa_i = n/m sum_j k(x_i, z_j) with the m target examples z, and
    k(x, z) = exp(-|x - z|^2 / (2 `variance`)). Up to constants this is the squared
    distance between the weighted source mean and the target mean. The default of
    `variance` is half the median squared distance within both domains together
    (widths.pooled_variance), that of `slack` is (sqrt(n) - 1) / sqrt(n), as in the
    paper.

    The solver is box_qp.minimise with a KKT residual of 1e-6, for weights of mean about
    1. If K is singular to working precision (few dimensions, wide kernels), the weights
    are not unique. The search may then reach its limit of iterations, with an objective
    within about 1e-5 of the minimum, relative to it; `residual` shows whether it did.

    There are weights for the training examples only. Features are not changed.

    Raises:
      ValueError: a variance or bound that is not positive, or a negative slack.
    """
    if variance is not None:
        checks.positive('variance', variance)
    checks.positive('bound', bound)
    if slack is not None:
        checks.not_negative('slack', slack)

    def fit(key, source, target):
        del key
        width = widths.pooled_variance(source, target) if variance is None else variance
        width = jnp.asarray(width, source.x.dtype)
        kernel = ops.gaussian_kernel(width[None])
        source_mask, target_mask = source.mask > 0, target.mask > 0
        n, m = jnp.sum(source_mask), jnp.sum(target_mask)
        target_weight = jnp.where(target_mask, 1.0, 0.0) * n / jnp.where(m > 0, m, 1)
        allowed = (jnp.sqrt(n) - 1) / jnp.sqrt(n) if slack is None else slack
        upper = jnp.where(source_mask, bound, 0.0)
        solution = box_qp.minimise(
            kernel(source.x, source.x),
            kernel(source.x, target.x) @ target_weight,
            upper,
            # With a bound below 1 the weights may not reach this sum.
            jnp.minimum(n * (1 - allowed), jnp.sum(upper)),
            n * (1 + allowed),
            tolerance=TOLERANCE,
        )
        return KernelMeanMatching(solution.x, width, solution.residual)

    return Shallow(fit, unchanged, unchanged, weights=lambda fitted: fitted.weight)
