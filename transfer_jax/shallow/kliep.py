"""Importance estimation by Kullback-Leibler divergence (Sugiyama et al., NIPS 2007)."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.shallow import checks, mixture, widths
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array

FACTORS = tuple(2.0**power for power in range(-3, 4))  # of the median variance
TOLERANCE = 1e-8  # of the mean logarithm of the weights of target examples
ROUGH = 1e-4  # the same, of the folds: enough to compare widths


class Kliep(NamedTuple):
    """w(x) = sum_l share_l exp(-|x - centre_l|^2 / (2 variance) - level_l)."""

    centre: Array  # (k, d)
    share: Array  # (k,), of the mean source weight: they sum to 1
    level: Array  # (k,), logarithm of a centre's mean kernel value in the source
    variance: Array  # ()
    score: Array  # (candidates,), mean log w of held-out target examples
    gap: Array  # (), what mean log w of the target is below its maximum, at most
    weight: Array  # (n,), of the source examples, 0 where padding


def kliep(
    *,
    variances: float | Sequence[float] | Array | None = None,
    centres: int = 100,
    folds: int = 5,
) -> Shallow:
    """Weighs source examples by w = p_target / p_source, fitted directly.

    w(x) = sum_l alpha_l exp(-|x - c_l|^2 / (2 s)), with centres c_l among the target
    examples, maximises the mean of log w over the target examples with alpha_l >= 0
    and the mean of w over the source examples 1: the divergence of p_target from
    w p_source. Of several `variances` s, the one with the highest mean log w of
    held-out target examples is taken (likelihood cross-validation; no labels), of
    equal ones the first. Without `variances` they are 1/8, 1/4, ..., 8 times the
    median variance of both domains together (widths.pooled_variance).

    Deviations: the paper ascends along the gradient, with a projection onto the
    constraints after each step; the maximum is the same here, but it comes with a bound
    on what is missing (see mixture.fit). Centres are `centres` target examples that
    stand evenly among their rows, and folds take rows in turn, where the authors' code
    draws both at random. As there, all centres serve every fold. Kernel values are
    handled as logarithms, so that domains however far apart have weights.

    Of a single target example the score is that of the example that w was fitted to.

    Raises:
      ValueError: a variance that is not positive, less than one centre or two folds.
    """
    if variances is not None:
        checks.positive('variances', variances)
    if centres < 1:
        raise ValueError(f'centres {centres}: need at least 1')
    if folds < 2:
        raise ValueError(f'folds {folds}: need at least 2')

    def fit(key, source, target):
        del key
        here, there = source.mask > 0, target.mask > 0
        candidates = variances
        if candidates is None:
            median = widths.pooled_variance(source, target)
            candidates = median * jnp.asarray(FACTORS)
        candidates = jnp.atleast_1d(jnp.asarray(candidates, source.x.dtype))

        index, real = widths.spread_rows(target.mask, centres)
        centre = jnp.where(real[:, None], target.x[index], 0)
        to_source = ops.squared_distances(source.x, centre)
        to_target = ops.squared_distances(target.x, centre)
        fold = jnp.where(there, (jnp.cumsum(there) - 1) % folds, -1)

        def level(variance):
            return _log_mean(-to_source / (2 * variance), here)

        def logarithms(variance):
            terms = -to_target / (2 * variance) - level(variance)
            return jnp.where(real, terms, -jnp.inf)

        def maximise(terms, rows, tolerance):
            # Only ratios within a row matter to the maximum.
            top = jnp.max(terms, 1, keepdims=True)
            return mixture.fit(
                jnp.exp(terms - top), jnp.where(rows, 1.0, 0.0), tolerance=tolerance
            )

        def cross(variance):
            terms = logarithms(variance)

            def held_out(number):
                away = fold == number
                rest = there & ~away
                rows = jnp.where(jnp.any(rest), rest, there)
                share = maximise(terms, rows, ROUGH).share
                value = jax.nn.logsumexp(terms, 1, b=share)
                return jnp.sum(jnp.where(away, value, 0))

            total = jnp.sum(jax.lax.map(held_out, jnp.arange(folds)))
            return total / jnp.sum(there)

        if len(candidates) > 1:
            score = jax.lax.map(cross, candidates)
        else:
            score = jnp.zeros(1, source.x.dtype)
        variance = candidates[ops.argmax_first(score)]
        found = maximise(logarithms(variance), there, TOLERANCE)
        scale = level(variance)
        terms = -to_source / (2 * variance) - scale
        weight = jnp.where(here, jnp.exp(terms) @ found.share, 0)
        return Kliep(centre, found.share, scale, variance, score, found.gap, weight)

    return Shallow(fit, unchanged, unchanged, weights=lambda fitted: fitted.weight)


def kliep_weights(fitted: Kliep, x: Array) -> Array:
    """w(x) anywhere, (n, d) -> (n,)."""
    distances = ops.squared_distances(x, fitted.centre)
    return jnp.exp(-distances / (2 * fitted.variance) - fitted.level) @ fitted.share


def _log_mean(logarithms: Array, there: Array) -> Array:
    """(n, k), (n,) -> (k,), the logarithm of the mean exponential."""
    total = jax.nn.logsumexp(logarithms, 0, b=there[:, None])
    return total - jnp.log(jnp.sum(there))
