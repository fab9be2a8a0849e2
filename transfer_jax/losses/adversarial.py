"""Losses of domain critics."""

import chex
import jax
import jax.numpy as jnp

from transfer_jax.types import Array


def binary_cross_entropy(logits: Array, target: Array | float) -> Array:
    """Negative log-likelihood of a binary target under sigmoid, (n,) -> (n,).

    l = -t log s(z) - (1 - t) log(1 - s(z)) = log(1 + e^z) - z t,

    which cannot overflow. With t the domain (source 0, target 1) it is the domain loss
    of DANN (Ganin et al. 2016, section 4.2); with t inverted, the encoder's loss of
    ADDA (Tzeng et al. 2017, eq. 7).

    Args:
      logits: (n,) of the critic.
      target: (n,) or one number, in [0, 1].
    """
    chex.assert_rank(logits, 1)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    return jax.nn.softplus(logits) - logits * target
