"""Importance estimation by Kullback-Leibler divergence (Sugiyama et al., NIPS 2007)."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.shallow import checks, mixture, widths
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array

FACTORS = tuple(2.0**power for power in range(-3, 4))  # times the median variance
TOLERANCE = 1e-8  # for the mean log weight of target examples
ROUGH = 1e-4  # the same for the folds, enough to compare widths


class Kliep(NamedTuple):
    """w(x) = sum_l share_l exp(-|x - centre_l|^2 / (2 variance) - level_l)."""

    centre: Array  # (k, d)
    share: Array  # (k,), shares of the mean source weight, of sum 1
    level: Array  # (k,), logarithm of a centre's mean kernel value in the source
    variance: Array  # ()
    score: Array  # (candidates,), mean log w of held-out target examples
    gap: Array  # (), upper bound on the maximum minus mean log w of the target
    weight: Array  # (n,), of the source examples, 0 in padding


def kliep(
    *,
    variances: float | Sequence[float] | Array | None = None,
    centres: int = 100,
    folds: int = 5,
) -> Shallow:
    """Weights source examples by w = p_target / p_source, fitted directly.

    w(x) = sum_l alpha_l exp(-|x - c_l|^2 / (2 s)), with centres c_l among the target
    examples, maximises the mean of log w over the target examples subject to
    alpha_l >= 0 and a mean of w over the source examples of 1. This minimises the
    divergence of p_target from w p_source. Among several `variances` s, the one with
    the highest mean log w of held-out target examples is used (likelihood
    cross-validation, without labels); ties go to the first. By default the `variances`
    are 1/8, 1/4, ..., 8 times the median variance of both domains together
    (widths.pooled_variance).

    Deviations: the paper uses gradient ascent with a projection onto the constraints
    after each step. The solver here reaches the same maximum and bounds the remaining
    gap (see mixture.fit). The centres are `centres` target examples evenly spaced by
    row, and folds take rows in turn; the authors' code draws both at random. As there,
    every fold uses all centres. Kernel values are handled as logarithms, so that even
    distant domains have weights.

    With a single target example the score is that of the example w was fitted to.

    Raises:
      ValueError: a variance that is not positive, fewer than 1 centre or 2 folds.
    """
    if variances is not None:
        checks.positive('variances', variances)
    if centres < 1:
        raise ValueError(f'centres {centres}: need at least 1')
    if folds < 2:
        raise ValueError(f'folds {folds}: need at least 2')

    def fit(key, source, target):
        del key
        source_mask, target_mask = source.mask > 0, target.mask > 0
        candidates = variances
        if candidates is None:
            median = widths.pooled_variance(source, target)
            candidates = median * jnp.asarray(FACTORS)
        candidates = jnp.atleast_1d(jnp.asarray(candidates, source.x.dtype))

        index, real = widths.evenly_spaced_rows(target.mask, centres)
        centre = jnp.where(real[:, None], target.x[index], 0)
        to_source = ops.squared_distances(source.x, centre)
        to_target = ops.squared_distances(target.x, centre)
        fold = jnp.where(target_mask, (jnp.cumsum(target_mask) - 1) % folds, -1)

        def level(variance):
            return _log_mean(-to_source / (2 * variance), source_mask)

        def logarithms(variance):
            terms = -to_target / (2 * variance) - level(variance)
            return jnp.where(real, terms, -jnp.inf)

        def maximise(terms, rows, tolerance):
            # The maximum depends only on ratios within a row.
            top = jnp.max(terms, 1, keepdims=True)
            return mixture.fit(
                jnp.exp(terms - top), jnp.where(rows, 1.0, 0.0), tolerance=tolerance
            )

        def cross(variance):
            terms = logarithms(variance)

            def held_out(number):
                in_fold = fold == number
                rest = target_mask & ~in_fold
                rows = jnp.where(jnp.any(rest), rest, target_mask)
                share = maximise(terms, rows, ROUGH).share
                value = jax.nn.logsumexp(terms, 1, b=share)
                return jnp.sum(jnp.where(in_fold, value, 0))

            total = jnp.sum(jax.lax.map(held_out, jnp.arange(folds)))
            return total / jnp.sum(target_mask)

        if len(candidates) > 1:
            score = jax.lax.map(cross, candidates)
        else:
            score = jnp.zeros(1, source.x.dtype)
        variance = candidates[ops.argmax_first(score)]
        solution = maximise(logarithms(variance), target_mask, TOLERANCE)
        scale = level(variance)
        terms = -to_source / (2 * variance) - scale
        weight = jnp.where(source_mask, jnp.exp(terms) @ solution.share, 0)
        return Kliep(
            centre, solution.share, scale, variance, score, solution.gap, weight
        )

    return Shallow(fit, unchanged, unchanged, weights=lambda fitted: fitted.weight)


def kliep_weights(fitted: Kliep, x: Array) -> Array:
    """w(x) of any examples, (n, d) -> (n,)."""
    distances = ops.squared_distances(x, fitted.centre)
    return jnp.exp(-distances / (2 * fitted.variance) - fitted.level) @ fitted.share


def _log_mean(logarithms: Array, mask: Array) -> Array:
    """(n, k), (n,) -> (k,), the logarithm of the mean exponential."""
    total = jax.nn.logsumexp(logarithms, 0, b=mask[:, None])
    return total - jnp.log(jnp.sum(mask))
