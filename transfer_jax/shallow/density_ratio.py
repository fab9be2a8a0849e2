"""Density ratio of two domains from a classifier (Bickel et al., ICML 2007)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax.shallow import checks, newton
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array

TOLERANCE = 1e-12  # gap to the minimum allowed, as a share of the objective
MAX_LOG_ODDS = 50.0  # larger log odds carry no information


class DensityRatio(NamedTuple):
    """w(x) = exp(x normal + offset)."""

    normal: Array  # (d,), coefficients of the log odds
    offset: Array  # (), including log n/m
    weight: Array  # (n,), of the source examples, 0 in padding
    converged: Array  # (), 1 if the regression reached its minimum


def density_ratio(*, cost: float | Array = 1.0) -> Shallow:
    """Weights source examples by the odds that they are target examples.

    w(x) = n/m P(target | x) / P(source | x) = p_target(x) / p_source(x), with n source
    and m target examples. P is a logistic regression of the domain that minimises
    1/2 |normal|^2 + `cost` sum_i log(1 + exp(-y_i f(x_i))), y = 1 for target and -1 for
    source examples, with a free bias: scikit-learn's LogisticRegression(C=cost). Log
    odds are clipped to +-50, so that no weight is infinite.

    Deviation: Bickel et al. derive this ratio, but fit it jointly with the classifier
    of the labels; here it is fitted first. The validators use the same ratio on few
    directions, transfer_jax.selection.weights.density_ratio.

    Raises:
      ValueError: a cost that is not positive.
    """
    checks.positive('cost', cost)

    def fit(key, source, target):
        del key
        x = jnp.concatenate([source.x, target.x])
        present = jnp.concatenate([source.mask, target.mask])[:, None] > 0
        sign = jnp.repeat(
            jnp.array([-1.0, 1.0]),
            jnp.array([len(source.x), len(target.x)]),
            total_repeat_length=len(x),
        )[:, None]
        normal, bias, converged = _regression(x, present, sign, cost)
        n, m = jnp.sum(source.mask > 0), jnp.sum(target.mask > 0)
        fitted = DensityRatio(
            normal,
            bias + jnp.log(n) - jnp.log(m),
            jnp.zeros(len(source.x)),
            converged,
        )
        weight = jnp.where(source.mask > 0, density_ratio_weights(fitted, source.x), 0)
        return fitted._replace(weight=weight)

    return Shallow(fit, unchanged, unchanged, weights=lambda fitted: fitted.weight)


def density_ratio_weights(fitted: DensityRatio, x: Array) -> Array:
    """w(x) of any examples, (n, d) -> (n,)."""
    log_odds = x @ fitted.normal + fitted.offset
    return jnp.exp(jnp.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS))


def _regression(x, present, sign, cost):
    """(normal (d,), bias, 1 if the minimum was reached), without padding."""
    # The bias is free, so centring changes only the conditioning.
    x = jnp.where(present, x, 0)
    mean = jnp.sum(x, 0) / jnp.sum(present)
    z = jnp.concatenate([jnp.where(present, x - mean, 0), present.astype(x.dtype)], 1)
    ridge = jnp.ones((z.shape[1], 1), x.dtype).at[-1].set(0)
    scale = jnp.where(present, cost, 0.0)

    def diagonal(f):
        return scale * jax.nn.sigmoid(f) * jax.nn.sigmoid(-f)

    loss = newton.Loss(
        value=lambda f: scale * jnp.logaddexp(0, -sign * f),
        slope=lambda f: -scale * sign * jax.nn.sigmoid(-sign * f),
        curvature=lambda f, u: diagonal(f) * u,
        diagonal=diagonal,
    )
    start = jnp.zeros_like(ridge)
    solution = newton.minimise(z, ridge, loss, start, joint=False, tolerance=TOLERANCE)
    converged = solution.gap <= TOLERANCE * solution.objective
    normal = solution.w[:-1, 0]
    bias = solution.w[-1, 0] - mean @ normal
    return normal, bias, jnp.where(converged[0, 0], 1.0, 0.0)
