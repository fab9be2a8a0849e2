"""Losses of Domain Separation Networks: difference and reconstruction."""

import chex
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array


@ops.full_precision
def difference(shared: Array, private: Array) -> Array:
    """Overlap of two representations of the same images, (n, d), (n, e) -> ().

    ||S^T P||_F^2 / (d e), with rows of S and P centred over the batch and scaled to
    length 1 (Bousmalis et al. 2016, eq. 5; centring, scaling and the mean over the
    entries as in the authors' code). Zero if every pair of features is uncorrelated.
    """
    chex.assert_rank([shared, private], 2)
    chex.assert_equal_shape_prefix([shared, private], 1)
    shared, private = ops.at_least_float32((shared, private))
    return jnp.mean(jnp.square(_rows(shared).T @ _rows(private)))


def scale_invariant_error(x: Array, y: Array) -> Array:
    """Squared error that ignores a constant offset, (n, ...), (n, ...) -> (n,).

    ||x - y||^2 / k - (sum(x - y))^2 / k^2 over the k numbers of an image (Bousmalis et
    al. 2016, eq. 4; Eigen et al. 2014).
    """
    chex.assert_equal_shape([x, y])
    x, y = ops.at_least_float32((x, y))
    error = (x - y).reshape(x.shape[0], -1)
    return jnp.mean(error**2, -1) - jnp.mean(error, -1) ** 2


def _rows(x):
    """Rows centred over the batch and scaled to length 1.

    Rows that are zero up to rounding become zero, so that rounding errors are not
    scaled up.
    """
    rounding = 1e-12 * jnp.sum(x * x, -1, keepdims=True)
    x = x - jnp.mean(x, 0)
    return ops.l2_normalise(x, rounding=rounding)
