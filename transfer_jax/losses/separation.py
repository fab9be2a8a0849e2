"""Losses of Domain Separation Networks: what is private, and what is kept."""

import chex
import jax.numpy as jnp

from transfer_jax.types import Array


def difference(shared: Array, private: Array) -> Array:
    """How much two representations of the same images have in common, -> ().

    ||S^T P||_F^2 / d^2, with rows of S (n, d) and P (n, e) centred over the batch and
    scaled to length 1 (Bousmalis et al. 2016, eq. 5; centring, scaling and the mean
    over the entries as in the authors' code). Zero where every pair of features is
    uncorrelated.
    """
    chex.assert_rank([shared, private], 2)
    chex.assert_equal_shape_prefix([shared, private], 1)
    return jnp.mean(jnp.square(_rows(shared).T @ _rows(private)))


def scale_invariant_error(x: Array, y: Array) -> Array:
    """Squared error that a constant offset does not count in, (n, ...) -> (n,).

    ||x - y||^2 / k - (sum(x - y))^2 / k^2 over the k numbers of an image (Bousmalis et
    al. 2016, eq. 4; Eigen et al. 2014).
    """
    chex.assert_equal_shape([x, y])
    gap = (x - y).reshape(x.shape[0], -1)
    return jnp.mean(gap**2, -1) - jnp.mean(gap, -1) ** 2


def _rows(x):
    """Centred over the batch, then of length 1; rows of zeros stay.

    As do rows that are zero up to rounding: it must not be scaled up.
    """
    rounding = 1e-12 * jnp.sum(x * x, -1, keepdims=True)
    x = x - jnp.mean(x, 0)
    square = jnp.sum(x * x, -1, keepdims=True)
    positive = square > rounding
    return jnp.where(positive, x / jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
