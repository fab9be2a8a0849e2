"""Image descriptors from feature maps: spatial pooling and normalisation."""

import chex
import jax.numpy as jnp
from jax import lax

from transfer_jax.types import Array

TINY = 1e-6  # lower bound of activations, as in Radenovic et al.


def gem_pool(x: Array, p: float | Array) -> Array:
    """Generalised mean over positions, (n, h, w, c) -> (n, c).

    (mean over h, w of max(x, 1e-6)^p)^(1/p) (Radenovic, Tolias and Chum, TPAMI 2019,
    eq. 3). p = 1 is the average, p -> infinity the maximum. `p` may be an array that
    broadcasts to (n, c), such as a p per channel (c,).
    """
    chex.assert_rank(x, 4)
    x = jnp.maximum(x, TINY)
    # Dividing by the largest value keeps powers from overflowing or vanishing. The mean
    # does not depend on the divisor, so the divisor needs no gradient.
    top = lax.stop_gradient(jnp.max(x, (1, 2), keepdims=True))
    p = jnp.asarray(p, x.dtype)
    inner = p if p.ndim == 0 else jnp.expand_dims(p, (-3, -2))
    mean = jnp.mean((x / top) ** inner, (1, 2))
    return top[:, 0, 0] * mean ** (1 / p)


def l2_normalise(x: Array, axis: int = -1, *, rounding: Array | float = 0.0) -> Array:
    """x / |x| along an axis; a zero vector stays zero, with gradient 0.

    Args:
      rounding: vectors of at most this squared length become zero.
    """
    square = jnp.sum(x**2, axis, keepdims=True)
    positive = square > rounding
    return jnp.where(positive, x / jnp.sqrt(jnp.where(positive, square, 1)), 0)


def signed_power(x: Array, power: float) -> Array:
    """sign(x) |x|^power, elementwise (Razavian et al., CVPRW 2014, section 2)."""
    nonzero = x != 0
    powers = jnp.where(nonzero, jnp.abs(x), 1) ** power
    return jnp.where(nonzero, jnp.sign(x) * powers, 0)
