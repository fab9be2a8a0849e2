"""Kernel Mean Matching (Huang, Smola, Gretton, Borgwardt, Schoelkopf, NIPS 2006)."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.shallow import box_qp, checks, widths
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array

TOLERANCE = 1e-6  # of weights, whose mean is about 1


class KernelMeanMatching(NamedTuple):
    """Weights, and how they came about."""

    weight: Array  # (n,), 0 where padding
    variance: Array  # () of the kernel
    residual: Array  # () of the KKT conditions: how far a weight would move alone


def kmm(
    *,
    variance: float | Array | None = None,
    bound: float | Array = 1000.0,
    slack: float | Array | None = None,
) -> Shallow:
    """Weighs source examples so that the domains' means in feature space agree.

    Minimises 1/2 b^T K b - kappa^T b over 0 <= b_i <= `bound` with
    |sum_i b_i - n| <= n `slack`, where K_ij = k(x_i, x_j) of the n source examples,
    kappa_i = n/m sum_j k(x_i, z_j) with the m target examples z, and
    k(x, z) = exp(-|x - z|^2 / (2 `variance`)): up to constants the squared distance
    between the weighted source mean and the target mean. Without a `variance` it is
    half the median squared distance within both domains together (widths.
    pooled_variance); without a `slack` (sqrt(n) - 1) / sqrt(n), as the paper has it.

    The solver is box_qp.minimise, with KKT residual 1e-6 of weights of mean about 1.
    Where K is singular to working precision (few dimensions, wide kernels) weights are
    not unique; the search may then end at its limit of iterations, with an objective
    within about 1e-5 of the minimum, relative to it. `residual` says which.

    The weights are for training examples alone. Features stay as they are.

    Raises:
      ValueError: a variance or bound that is not positive, a negative slack.
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
        here, there = source.mask > 0, target.mask > 0
        n, m = jnp.sum(here), jnp.sum(there)
        towards = jnp.where(there, 1.0, 0.0) * n / jnp.where(m > 0, m, 1)
        allowed = (jnp.sqrt(n) - 1) / jnp.sqrt(n) if slack is None else slack
        upper = jnp.where(here, bound, 0.0)
        found = box_qp.minimise(
            kernel(source.x, source.x),
            kernel(source.x, target.x) @ towards,
            upper,
            # A bound below 1 may leave all weights at it, short of this sum.
            jnp.minimum(n * (1 - allowed), jnp.sum(upper)),
            n * (1 + allowed),
            tolerance=TOLERANCE,
        )
        return KernelMeanMatching(found.x, width, found.residual)

    return Shallow(fit, unchanged, unchanged, weights=lambda fitted: fitted.weight)
