"""Losses that ask the predictions on unlabelled target images to be well formed."""

import chex
import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array


def class_confusion(logits: Array, *, temperature: float = 2.5) -> Array:
    """Minimum class confusion, (n, c) -> ().

    With p = softmax(logits / temperature) and weights w_i = n (1 + exp(-H(p_i))) /
    sum_j (1 + exp(-H(p_j))), the confusion matrix C = p^T diag(w) p has its rows
    divided by their sums, and the loss is the sum of what is off its diagonal over c
    (Jin et al. 2020, eq. 1 to 6). The weights are constants in gradients. The row of a
    class whose every probability is zero, in floating point, counts as unconfused.
    """
    chex.assert_rank(logits, 2)
    n, classes = logits.shape
    logits = ops.at_least_float32(logits) / temperature
    p = jax.nn.softmax(logits)
    weight = 1 + jnp.exp(-jax.lax.stop_gradient(ops.entropy(logits)))
    weight = n * weight / jnp.sum(weight)
    between = p.T @ (weight[:, None] * p)
    rows = jnp.sum(between, -1, keepdims=True)
    between = between / jnp.where(rows > 0, rows, 1.0)
    return (jnp.sum(between) - jnp.trace(between)) / classes


def nuclear_norm(logits: Array) -> Array:
    """Batch nuclear norm ||softmax(logits)||_* / n, (n, c) -> ().

    The sum of singular values; large where predictions are sure and different (Cui et
    al. 2020, eq. 11, whose loss is its negative).
    """
    chex.assert_rank(logits, 2)
    p = jax.nn.softmax(ops.at_least_float32(logits))
    return jnp.sum(jnp.linalg.svd(p, compute_uv=False)) / logits.shape[0]


def pseudo_label(logits: Array, *, threshold: float = 0.0) -> Array:
    """Cross-entropy with one's own most likely class, (n, c) -> (n,).

    Zero where the largest probability does not reach the threshold (Lee 2013, eq. 15;
    the threshold is common practice since). The label is a constant in gradients.
    """
    chex.assert_rank(logits, 2)
    log_p = jax.nn.log_softmax(ops.at_least_float32(logits))
    label = jnp.argmax(log_p, -1)
    best = jnp.take_along_axis(log_p, label[:, None], -1)[:, 0]
    sure = jax.lax.stop_gradient(best) >= jnp.log(jnp.maximum(threshold, 1e-30))
    return jnp.where(sure, -best, 0.0)
