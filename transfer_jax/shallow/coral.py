"""Correlation Alignment (Sun, Feng and Saenko, AAAI 2016)."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax.shallow import checks
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array, Samples

ROUNDING = 1e-20  # share of its squares below which a feature's variance is rounding


class Coral(NamedTuple):
    """The map for source examples, and what is subtracted from each domain before."""

    matrix: Array  # (d, d), C_S^-1/2 C_T^1/2
    source_mean: Array  # (d,), 0 without centring
    target_mean: Array  # (d,)


def coral(
    regularisation: float | Array = 1.0, *, relative: bool = True, center: bool = False
) -> Shallow:
    """Whitens the source and gives it the covariance of the target.

    With C_S = cov(X_S) + r v_S I, C_T = cov(X_T) + r v_T I, a source example x becomes
    x C_S^-1/2 C_T^1/2 (algorithm 1); target examples are not changed. Covariances are
    divided by n - 1. A domain of one example has covariance 0.

    v_S and v_T are the mean variances of the features that vary in a domain, so that
    features of any scale are adapted equally. Deviation: in the paper v_S = v_T = 1 and
    r = 1 (`relative=False`), for features of variance 1. There both are the same; but
    features of small variance, such as those of vectors of length 1, the paper's C
    leaves as they are.

    As in the authors' code, the mapped examples are not centred. The result then
    depends on the origin of the features: if their common mean is much longer than
    their deviation, it is wrong, and the pipeline's fit warns.

    If r = 0 and a covariance is singular, the solution is that of the paper's theorem
    1: the source is whitened on the directions that it spans, and only the r' target
    directions of largest variance are used, with r' the smaller of the two ranks.
    Eigenvalues that are 0 up to rounding count as 0.

    Published values on Office-Caltech10 (SURF) are those of an SVM whose kernel is the
    similarity x C_S^-1/2 C_T^1/2 y^T, in training too. That SVM, at C = 1, reproduces
    ten of the twelve values within 0.1 points (Caltech to Webcam and to DSLR are 8 and
    10 lower). A linear SVM on mapped examples, as in a pipeline, is a different model.

    Args:
      regularisation: r, in units of the mean variance.
      relative: False for r in units of the squared features, as in the paper.
      center: subtract its mean from each domain first.

    Raises:
      ValueError: a regularisation below 0.
    """
    checks.not_negative('regularisation', regularisation)

    def fit(key, source, target):
        del key
        value, white, mean_source, source_unit = _spectrum(source)
        varies, colour, mean_target, target_unit = _spectrum(target)
        if relative:
            other = jnp.where(target_unit > 0, target_unit, 1)
            source_unit = jnp.where(source_unit > 0, source_unit, other)
            target_unit = jnp.where(target_unit > 0, target_unit, source_unit)
        else:
            source_unit = target_unit = 1.0
        source_ridge = regularisation * jnp.asarray(source_unit)
        target_ridge = regularisation * jnp.asarray(target_unit)
        rank = jnp.minimum(jnp.sum(value > 0), jnp.sum(varies > 0))
        k = len(varies)
        leading = jnp.where(jnp.arange(k) >= k - rank, varies, 0)
        varies = jnp.where(regularisation > 0, varies, leading)
        # C^p = r^p I + V ((value + r)^p - r^p) V^T, without r^p if r = 0
        less, more = _power(source_ridge, -0.5), _power(target_ridge, 0.5)
        white_by = _power(value + source_ridge, -0.5) - less
        colour_by = _power(varies + target_ridge, 0.5) - more
        coloured = (colour * colour_by) @ colour.T
        both = less * coloured + (white * white_by) @ (
            white.T @ coloured + more * white.T
        )
        matrix = both + less * more * jnp.eye(len(both))
        means = jnp.stack([mean_source, mean_target])
        return Coral(matrix, *(means if center else 0 * means))

    def map_source(fitted, x):
        return (x - fitted.source_mean) @ fitted.matrix

    def map_target(fitted, x):
        return x - fitted.target_mean

    def cautions(fitted, source, target):
        del fitted
        return [] if center else checks.far_from_origin(source, target)

    return Shallow(fit, map_source, map_target, cautions=cautions)


def _spectrum(samples: Samples) -> tuple[Array, Array, Array, Array]:
    """Eigenvalues and vectors of a covariance, the mean (d,), and the mean variance.

    The eigenvalues (k,) ascend; the vectors are (d, k) with k = min(n, d). They are
    computed from the smaller of the two matrices with these eigenvalues. An eigenvalue
    that is 0 up to rounding is set to 0, and so is its vector. The mean variance is
    that of the features that vary.
    """
    present = (samples.mask > 0)[:, None]
    count = jnp.sum(present)
    x = jnp.where(present, samples.x, 0)
    mean = jnp.sum(x, 0) / count
    squares = jnp.sum(x * x, 0)
    x = jnp.where(present, x - mean, 0)
    changes = jnp.sum(x * x, 0) > ROUNDING * squares
    x = x / jnp.sqrt(jnp.maximum(count - 1, 1))
    variance = jnp.sum(jnp.where(changes, x * x, 0)) / jnp.maximum(jnp.sum(changes), 1)
    few = len(x) < x.shape[1]
    value, vector = jnp.linalg.eigh(x @ x.T if few else x.T @ x)
    varies = value > x.shape[1] * jnp.finfo(x.dtype).eps * value[-1]
    if few:
        vector = x.T @ vector / jnp.sqrt(jnp.where(varies, value, 1))
    value, vector = jnp.where(varies, value, 0), jnp.where(varies, vector, 0)
    return value, vector, mean, variance


def _power(x: Array, power: float) -> Array:
    """x^power, and 0 where x = 0."""
    return jnp.where(x > 0, jnp.where(x > 0, x, 1) ** power, 0)
