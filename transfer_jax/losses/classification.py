"""Classification losses."""

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
    logits = ops.at_least_float32(logits)
    log_p = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_p, label[:, None], axis=-1)[:, 0]


def multi_label_logistic(logits: Array, label: Array) -> Array:
    """Mean over classes of the binary logistic loss, (n, c), (n, c) -> (n,).

    l_i = 1/c sum_k log(1 + exp(-y_ik s_ik)), in nats, with y = 1 where label is 1 and
    y = -1 where label is 0 (Oquab et al. 2015, eq. 1, which sums over classes). Classes
    with label -1 are left out of the mean.
    """
    chex.assert_rank([logits, label], 2)
    chex.assert_equal_shape([logits, label])
    known = label >= 0
    each = jax.nn.softplus(jnp.where(label > 0, -1, 1) * ops.at_least_float32(logits))
    total = jnp.sum(jnp.where(known, each, 0), -1)
    return total / jnp.maximum(jnp.sum(known, -1), 1)


def pixel_cross_entropy(logits: Array, label: Array, void: int = 255) -> Array:
    """Mean cross-entropy over the pixels of an image that are not void.

    (n, h, w, c), (n, h, w) -> (n,), in nats; 0 if all pixels of an image are void.
    """
    chex.assert_rank([logits, label], [4, 3])
    chex.assert_equal_shape_prefix([logits, label], 3)
    log_p = jax.nn.log_softmax(ops.at_least_float32(logits))
    known = label != void
    index = jnp.where(known, label, 0)[..., None].astype(jnp.int32)
    each = -jnp.take_along_axis(log_p, index, axis=-1)[..., 0]
    total = jnp.sum(jnp.where(known, each, 0), (1, 2))
    return total / jnp.maximum(jnp.sum(known, (1, 2)), 1)
