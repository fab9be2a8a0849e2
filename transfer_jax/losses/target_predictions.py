"""Losses on predictions for unlabelled target images."""

import chex
import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array


@ops.full_precision
def minimum_class_confusion(logits: Array, *, temperature: float = 2.5) -> Array:
    """Minimum class confusion, (n, c) -> ().

    With p = softmax(logits / temperature) and weights w_i = n (1 + exp(-H(p_i))) /
    sum_j (1 + exp(-H(p_j))), the rows of the confusion matrix C = p^T diag(w) p are
    divided by their sums. The loss is the sum of the entries off its diagonal, divided
    by c (Jin et al. 2020, eq. 1 to 6). The weights are constants in gradients. A class
    whose probabilities are all zero in floating point adds no confusion.
    """
    chex.assert_rank(logits, 2)
    n, classes = logits.shape
    logits = ops.at_least_float32(logits) / temperature
    p = jax.nn.softmax(logits)
    weight = 1 + jnp.exp(-jax.lax.stop_gradient(ops.entropy(logits)))
    weight = n * weight / jnp.sum(weight)
    confusion = p.T @ (weight[:, None] * p)
    rows = jnp.sum(confusion, -1, keepdims=True)
    confusion = confusion / jnp.where(rows > 0, rows, 1.0)
    return (jnp.sum(confusion) - jnp.trace(confusion)) / classes


@ops.full_precision
def nuclear_norm(logits: Array) -> Array:
    """Batch nuclear norm ||softmax(logits)||_* / n, (n, c) -> ().

    The sum of singular values. It is large for confident and diverse predictions (Cui
    et al. 2020, eq. 11, whose loss is its negative). The authors' code divides the sum
    by min(n, c), not by n.
    """
    chex.assert_rank(logits, 2)
    p = jax.nn.softmax(ops.at_least_float32(logits))
    return jnp.sum(jnp.linalg.svd(p, compute_uv=False)) / logits.shape[0]


def pseudo_label(logits: Array, *, threshold: float = 0.0) -> Array:
    """Cross-entropy with the most likely class as the label, (n, c) -> (n,).

    Zero where the largest probability is below the threshold (Lee 2013, eq. 15, without
    a threshold; it has since become common practice). The label is a constant in
    gradients.
    """
    chex.assert_rank(logits, 2)
    log_p = jax.nn.log_softmax(ops.at_least_float32(logits))
    label = jnp.argmax(log_p, -1)
    best = jnp.take_along_axis(log_p, label[:, None], -1)[:, 0]
    return jnp.where(confident(logits, threshold=threshold), -best, 0.0)


def mixed_label(first: Array, second: Array, *, share: Array | float) -> Array:
    """argmax_c (1 - share) first_c + share second_c, (n, c), (n, c) -> (n,) int.

    The pseudo-label of two networks' scores in DSBN's second stage (Chang et al. 2019),
    a constant in gradients.

    Args:
      share: lambda of the paper, in [0, 1].
    """
    chex.assert_rank([first, second], 2)
    chex.assert_equal_shape([first, second])
    first, second = ops.at_least_float32((first, second))
    return jnp.argmax((1 - share) * first + share * second, -1)


def confident(logits: Array, *, threshold: float) -> Array:
    """Whether the largest probability reaches the threshold, (n, c) -> (n,) bool.

    The examples that `pseudo_label` labels. Its loss does not show them: that of a
    probability of 1 in float32 is 0 too.
    """
    chex.assert_rank(logits, 2)
    best = jnp.max(jax.nn.log_softmax(ops.at_least_float32(logits)), -1)
    return jax.lax.stop_gradient(best) >= jnp.log(jnp.maximum(threshold, 1e-30))
