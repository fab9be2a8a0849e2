"""Entropy of class predictions."""

import chex
import jax
import jax.numpy as jnp

from transfer_jax.types import Array


def entropy(logits: Array) -> Array:
    """Shannon entropy of softmax(logits) in nats, (n, c) -> (n,).

    H = -sum_c p_c log p_c, computed from log-probabilities: no logarithm of zero.
    """
    chex.assert_rank(logits, 2)
    log_p = jax.nn.log_softmax(logits)
    return -jnp.sum(jnp.exp(log_p) * log_p, axis=-1)


def mutual_information(logits: Array, mask: Array | None = None) -> Array:
    """Information maximisation score H(mean p) - mean H(p) in nats, (n, c) -> ().

    High where predictions are confident one by one and spread over all classes
    (Bridle et al. 1991; Gomes et al. 2010, eq. 2).

    Args:
      mask: (n,), 0 where an example is padding.
    """
    chex.assert_rank(logits, 2)
    weight = jnp.ones(logits.shape[0]) if mask is None else mask
    weight = weight / jnp.sum(weight)
    marginal = weight @ jax.nn.softmax(logits)
    positive = marginal > 0
    log = jnp.log(jnp.where(positive, marginal, 1.0))  # a logarithm with a gradient
    of_mean = -jnp.sum(jnp.where(positive, marginal * log, 0.0))
    return of_mean - weight @ entropy(logits)
