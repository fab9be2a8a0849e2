"""Losses of class labels."""

import chex
import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array


def cross_entropy(logits: Array, label: Array) -> Array:
    """Negative log-likelihood of the label under softmax, (n, c), (n,) -> (n,).

    l_i = -log softmax(logits_i)[label_i], in nats, computed in float32 or wider.
    """
    chex.assert_rank([logits, label], [2, 1])
    chex.assert_equal_shape_prefix([logits, label], 1)
    logits = ops.wide(logits)
    log_p = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_p, label[:, None], axis=-1)[:, 0]
