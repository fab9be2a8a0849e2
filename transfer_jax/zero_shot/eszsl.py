"""Embarrassingly simple zero-shot learning (Romera-Paredes and Torr, ICML 2015)."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax.types import Array
from transfer_jax.zero_shot import checks
from transfer_jax.zero_shot.method import ZeroShot


class Eszsl(NamedTuple):
    """V = basis core side, in parts that a grid of constants shares."""

    basis: Array  # (d, r)
    core: Array  # (r, k); of a path (grid, r, k)
    side: Array  # (k, a)


def eszsl(gamma: float | Array = 1.0, lam: float | Array = 1.0) -> ZeroShot:
    """Bilinear scores x^T V s by ridge regression on both sides, in closed form.

    V = (X^T X + gamma I)^-1 X^T Y S (S^T S + lambda I)^-1, with features
    X (n, d), vectors S (k, a) of the seen classes, and labels Y (n, k) that are 1 for
    the class of an example and 0 for all others. Deviation: the paper's text has -1 for
    the others, which is far less accurate; 0 and 1 reproduce the published accuracy.

    Args:
      gamma: ridge of the features.
      lam: lambda, ridge of the class vectors.

    Raises:
      ValueError: a constant that is not positive.
    """
    checks.positive('gamma', gamma)
    checks.positive('lambda', lam)

    def fit(key, x, label, vectors):
        del key
        return _fit(x, label, vectors, gamma, lam)

    def scores(fitted, x, vectors):
        return (x @ fitted.basis) @ fitted.core @ (fitted.side @ vectors.T)

    return ZeroShot(fit, scores)


def eszsl_path(gammas: Sequence[float] | Array, lams: Sequence[float] | Array):
    """`eszsl` for the pairs (gammas[i], lams[i]): scores (grid, m, c).

    One eigendecomposition of X^T X and one of S S^T serve all pairs; a pair costs a
    scaling, and a product of the projected rows with `core` in `scores`.

    Raises:
      ValueError: a constant that is not positive, or lists of different lengths.
    """
    checks.positive('gamma', gammas)
    checks.positive('lambda', lams)
    if len(gammas) != len(lams):
        raise ValueError(f'{len(gammas)} gammas and {len(lams)} lambdas: not pairs')

    def fit(key, x, label, vectors):
        del key
        pairs = (jnp.asarray(c)[:, None, None] for c in (gammas, lams))
        return _fit(x, label, vectors, *pairs)

    def scores(fitted, x, vectors):
        projected, side = x @ fitted.basis, fitted.side @ vectors.T
        return jax.lax.map(lambda core: projected @ (core @ side), fitted.core)

    return ZeroShot(fit, scores)


def _fit(x, label, vectors, gamma, lam) -> Eszsl:
    """With S (S^T S + l I)^-1 = (S S^T + l I)^-1 S, and likewise for X if n < d."""
    n, d = x.shape
    if n < d:
        one_hot = jax.nn.one_hot(label, len(vectors), dtype=x.dtype)
        value, vector = jnp.linalg.eigh(x @ x.T)
        basis, inner = x.T @ vector, vector.T @ one_hot
    else:
        value, basis = jnp.linalg.eigh(x.T @ x)
        sums = jnp.zeros((len(vectors), d), x.dtype).at[label].add(x)
        inner = basis.T @ sums.T
    other, rotation = jnp.linalg.eigh(vectors @ vectors.T)
    inner = inner @ rotation
    # The eigenvalues are those of squares: below 0 they are rounding.
    rows, columns = jnp.maximum(value, 0)[:, None], jnp.maximum(other, 0)
    core = inner / ((rows + gamma) * (columns + lam))
    return Eszsl(basis, core, rotation.T @ vectors)
