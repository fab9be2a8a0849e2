"""Descriptors from feature maps: pooling over places, and normalisation."""

import chex
import jax.numpy as jnp
from jax import lax

from transfer_jax.types import Array

TINY = 1e-6  # Radenovic's floor of activations


def gem_pool(x: Array, p: float | Array) -> Array:
    """Generalised mean over places, (n, h, w, c) -> (n, c).

    (mean over h, w of max(x, 1e-6)^p)^(1/p) (Radenovic, Tolias and Chum, TPAMI 2019,
    eq. 3): p = 1 is the average, p towards infinity the maximum. `p` may be an array
    that broadcasts to (n, c), as a p for each channel (c,).
    """
    chex.assert_rank(x, 4)
    x = jnp.maximum(x, TINY)
    # By the largest value first, so that no power overflows or vanishes; whatever it is
    # divided by, the mean is the same, so that its own gradient is 0.
    top = lax.stop_gradient(jnp.max(x, (1, 2), keepdims=True))
    p = jnp.asarray(p, x.dtype)
    inner = p if p.ndim == 0 else jnp.expand_dims(p, (-3, -2))
    mean = jnp.mean((x / top) ** inner, (1, 2))
    return top[:, 0, 0] * mean ** (1 / p)


def l2_normalise(x: Array, axis: int = -1) -> Array:
    """x / |x| along an axis; a vector of zeros stays one, with gradient 0."""
    square = jnp.sum(x**2, axis, keepdims=True)
    some = square > 0
    return jnp.where(some, x / jnp.sqrt(jnp.where(some, square, 1)), 0)


def signed_power(x: Array, power: float) -> Array:
    """sign(x) |x|^power in each component (Razavian et al., CVPRW 2014, section 2)."""
    some = x != 0
    return jnp.where(some, jnp.sign(x) * jnp.where(some, jnp.abs(x), 1) ** power, 0)
