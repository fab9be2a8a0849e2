"""Entropy of class predictions."""

import chex
import jax
import jax.numpy as jnp

from transfer_jax.ops import precision
from transfer_jax.types import Array


def entropy(logits: Array) -> Array:
    """Shannon entropy of softmax(logits) in nats, (n, c) -> (n,).

    H = -sum_c p_c log p_c, computed from log-probabilities to avoid the log of zero.
    """
    chex.assert_rank(logits, 2)
    log_p = jax.nn.log_softmax(precision.at_least_float32(logits))
    return -jnp.sum(jnp.exp(log_p) * log_p, axis=-1)


@precision.full_precision
def mutual_information(logits: Array, mask: Array | None = None) -> Array:
    """Information maximisation score H(mean p) - mean H(p) in nats, (n, c) -> ().

    It is high if each prediction is confident and all classes are predicted equally
    often (Bridle et al. 1991; Gomes et al. 2010, eq. 2).

    Args:
      mask: (n,), 0 for examples that are padding.
    """
    chex.assert_rank(logits, 2)
    logits = precision.at_least_float32(logits)
    weight = jnp.ones(logits.shape[0], logits.dtype) if mask is None else mask
    weight = weight / jnp.sum(weight)
    marginal = weight @ jax.nn.softmax(logits)
    positive = marginal > 0
    log = jnp.log(jnp.where(positive, marginal, 1.0))  # finite gradient at 0
    marginal_entropy = -jnp.sum(jnp.where(positive, marginal * log, 0.0))
    return marginal_entropy - weight @ entropy(logits)
