"""Partial least squares: directions of features that covary with the labels."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.types import Array, Samples


class PartialLeastSquares(NamedTuple):
    """Components of the centred features; columns of missing components are 0."""

    mean: Array  # (d,)
    weights: Array  # (d, k), orthonormal; the j-th applies to the deflated features
    rotations: Array  # (d, k), scores are (x - mean) rotations


def fit_pls(samples: Samples, classes: int, count: int) -> PartialLeastSquares:
    """`count` components of the labelled examples, against one-hot labels.

    Component j is the direction w of unit length that maximises |Y^T X_j w|, for
    centred Y (n, c). X_j are the centred features X (n, d) deflated by the scores
    t_i = X_i w_i, i < j, so that scores are uncorrelated (PLS2 by NIPALS; Wold, 1975).
    Once the labels are explained or the features exhausted, components are 0.
    """
    chex.assert_rank([samples.x, samples.label, samples.mask], [2, 1, 1])
    labelled = samples.mask * (samples.label >= 0)
    total = jnp.sum(labelled)
    mean = labelled @ samples.x / total
    x = (samples.x - mean) * labelled[:, None]
    y = jax.nn.one_hot(samples.label, classes, dtype=x.dtype) * labelled[:, None]
    y = (y - jnp.sum(y, 0) / total) * labelled[:, None]
    n, d = x.shape
    covariance = x.T @ y
    negligible = max(n, d) * jnp.finfo(x.dtype).eps * jnp.linalg.norm(covariance)

    def component(state, j):
        # The features are not deflated explicitly: products with scores that are
        # orthogonal to all earlier ones are the same for deflated features.
        covariance, weights, scores, loadings = state
        direction = jnp.linalg.eigh(covariance.T @ covariance)[1][:, -1]
        w = covariance @ direction
        labelled = jnp.linalg.norm(w) > negligible
        w = w - weights @ (weights.T @ w)
        w = jnp.where(labelled, _unit(w), 0)
        t = x @ w
        t = t - scores @ (scores.T @ t)
        length = jnp.linalg.norm(t)
        t = _unit(t)
        loading = x.T @ t  # of the score of unit length
        covariance = covariance - jnp.outer(loading, t @ y)
        weights = weights.at[:, j].set(w)
        scores = scores.at[:, j].set(t)
        loadings = loadings.at[:, j].set(loading / jnp.where(length > 0, length, 1))
        return (covariance, weights, scores, loadings), None

    empty = jnp.zeros((d, count), x.dtype)
    start = covariance, empty, jnp.zeros((n, count), x.dtype), empty
    (_, weights, _, loadings), _ = lax.scan(component, start, jnp.arange(count))
    triangle = loadings.T @ weights
    triangle = triangle + jnp.diag(jnp.sum(weights * weights, 0) < 0.5)
    rotations = jax.scipy.linalg.solve_triangular(triangle.T, weights.T, lower=True).T
    return PartialLeastSquares(mean, weights, rotations)


def _unit(x):
    length = jnp.linalg.norm(x)
    return x / jnp.where(length > 0, length, 1)
