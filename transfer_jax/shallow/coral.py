"""Correlation Alignment (Sun, Feng and Saenko, AAAI 2016)."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax.shallow import checks
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array, Samples


class Coral(NamedTuple):
    """The map for source examples."""

    matrix: Array  # (d, d), C_S^-1/2 C_T^1/2


def coral(regularisation: float | Array = 1.0) -> Shallow:
    """Whitens the source and gives it the covariance of the target.

    With C_S = cov(X_S) + r I, C_T = cov(X_T) + r I, a source example x becomes
    x C_S^-1/2 C_T^1/2 (algorithm 1, where r = 1); target examples are not changed.
    Covariances are divided by n - 1, and the mapped examples are not centred, both as
    in the authors' code. A domain of one example has covariance 0.

    If r = 0 and a covariance is singular, the solution is that of the paper's theorem
    1: the source is whitened on the directions that it spans, and only the r' target
    directions of largest variance are used, with r' the smaller of the two ranks.
    Eigenvalues that are 0 up to rounding count as 0.

    Published values on Office-Caltech10 (SURF) are those of an SVM whose kernel is the
    similarity x C_S^-1/2 C_T^1/2 y^T, in training too. That SVM, at C = 1, reproduces
    ten of the twelve values within 0.1 points (Caltech to Webcam and to DSLR are 8 and
    10 lower). A linear SVM on mapped examples, as in a pipeline, is a different model.

    Args:
      regularisation: r, in units of the squared features.

    Raises:
      ValueError: a regularisation below 0.
    """
    checks.not_negative('regularisation', regularisation)

    def fit(key, source, target):
        del key
        value, white = _spectrum(source)
        varies, colour = _spectrum(target)
        rank = jnp.minimum(jnp.sum(value > 0), jnp.sum(varies > 0))
        k = len(varies)
        leading = jnp.where(jnp.arange(k) >= k - rank, varies, 0)
        varies = jnp.where(regularisation > 0, varies, leading)
        # C^p = r^p I + V ((value + r)^p - r^p) V^T, without r^p if r = 0
        less = _power(jnp.asarray(regularisation), -0.5)
        more = _power(jnp.asarray(regularisation), 0.5)
        white_by = _power(value + regularisation, -0.5) - less
        colour_by = _power(varies + regularisation, 0.5) - more
        coloured = (colour * colour_by) @ colour.T
        both = less * coloured + (white * white_by) @ (
            white.T @ coloured + more * white.T
        )
        return Coral(both + less * more * jnp.eye(len(both)))

    return Shallow(fit, lambda fitted, x: x @ fitted.matrix, unchanged)


def _spectrum(samples: Samples) -> tuple[Array, Array]:
    """Ascending eigenvalues (k,) of a covariance, and vectors (d, k); k = min(n, d).

    They are computed from the smaller of the two matrices with these eigenvalues. An
    eigenvalue that is 0 up to rounding is set to 0, and so is its vector.
    """
    present = (samples.mask > 0)[:, None]
    count = jnp.sum(present)
    x = jnp.where(present, samples.x, 0)
    x = jnp.where(present, x - jnp.sum(x, 0) / count, 0)
    x = x / jnp.sqrt(jnp.maximum(count - 1, 1))
    few = len(x) < x.shape[1]
    value, vector = jnp.linalg.eigh(x @ x.T if few else x.T @ x)
    varies = value > x.shape[1] * jnp.finfo(x.dtype).eps * value[-1]
    if few:
        vector = x.T @ vector / jnp.sqrt(jnp.where(varies, value, 1))
    return jnp.where(varies, value, 0), jnp.where(varies, vector, 0)


def _power(x: Array, power: float) -> Array:
    """x^power, and 0 where x = 0."""
    return jnp.where(x > 0, jnp.where(x > 0, x, 1) ** power, 0)
