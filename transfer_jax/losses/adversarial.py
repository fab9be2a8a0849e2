"""Losses of domain discriminators and critics and of the encoders trained with them."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import optax

from transfer_jax import ops
from transfer_jax.types import Array


def binary_cross_entropy(logits: Array, target: Array | float) -> Array:
    """Negative log-likelihood of a binary target under sigmoid, (n,) -> (n,).

    l = -t log s(z) - (1 - t) log(1 - s(z)) = log(1 + e^z) - z t,

    where the last form cannot overflow. With t the domain (source 0, target 1) it is
    the domain loss of DANN (Ganin et al. 2016, section 4.2); with t inverted, the
    encoder's loss of ADDA (Tzeng et al. 2017, eq. 7).

    Args:
      logits: (n,) logits of the discriminator; any other shape is allowed.
      target: of the same shape, or one number, in [0, 1].
    """
    if jnp.ndim(target):
        chex.assert_equal_shape([logits, target])
    logits = ops.at_least_float32(logits)
    return jax.nn.softplus(logits) - logits * target


def domain_confusion(logits: Array) -> Array:
    """Cross-entropy of the discriminator's output with one half, (n,) -> (n,).

    l = -1/2 log s(z) - 1/2 log(1 - s(z)) (Tzeng et al. 2015, eq. 4). Its minimum is
    log 2, where the discriminator is undecided. Its gradient does not vanish where the
    discriminator is confident.
    """
    return binary_cross_entropy(logits, 0.5)


def wasserstein(source: Array, target: Array) -> Array:
    """A critic's estimate of the 1-Wasserstein distance, (n,), (m,) -> ().

    mean_source f(x) - mean_target f(x), for a critic f with |f(x) - f(y)| <= |x - y|
    that maximises it (Shen et al. 2018, eq. 3).

    Args:
      source: scores f(x) of source examples.
      target: scores f(x) of target examples.
    """
    chex.assert_rank([source, target], 1)
    source, target = ops.at_least_float32((source, target))
    return jnp.mean(source) - jnp.mean(target)


def gradient_penalty(critic: Callable[[Array], Array], x: Array) -> Array:
    """(||grad_x critic(x)|| - 1)^2, (n, d) -> (n,).

    (Gulrajani et al. 2017, eq. 3; on features, Shen et al. 2018, eq. 4.)

    Args:
      critic: (n, d) -> (n,), a function of each example separately.
    """
    chex.assert_rank(x, 2)
    slope = jax.grad(lambda x: jnp.sum(ops.at_least_float32(critic(x))))(x)
    slope = ops.at_least_float32(slope)
    return (optax.safe_norm(slope, 0.0, axis=-1) - 1) ** 2


def multilinear(features: Array, probabilities: Array) -> Array:
    """Outer products f (x) g, flattened, (n, d), (n, c) -> (n, d c).

    The input of CDAN's discriminator (Long et al. 2018, eq. 4).
    """
    chex.assert_rank([features, probabilities], 2)
    product = features[:, :, None] * probabilities[:, None, :]
    return product.reshape(product.shape[0], -1)


@ops.full_precision
def random_multilinear(
    features: Array, probabilities: Array, *, maps: tuple[Array, Array]
) -> Array:
    """Products of random maps (R_f f) * (R_g g) / sqrt(k), -> (n, k).

    Its inner products estimate those of `multilinear` (Long et al. 2018, eq. 6).

    Args:
      maps: fixed random matrices (d, k) and (c, k) whose entries have variance 1.
    """
    chex.assert_rank([features, probabilities], 2)
    k = maps[0].shape[1]
    return (features @ maps[0]) * (probabilities @ maps[1]) / jnp.sqrt(float(k))


def certainty(probabilities: Array) -> Array:
    """Weights 1 + exp(-H(p_i)), (n, c) -> (n,).

    Confident predictions have larger weights (CDAN+E, Long et al. 2018, eq. 8). Their
    gradient is finite at probabilities of 0.
    """
    chex.assert_rank(probabilities, 2)
    p = ops.at_least_float32(probabilities)
    entropy = -jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1)), 0), -1)
    return 1 + jnp.exp(-entropy)


def classifier_discrepancy(first: Array, second: Array) -> Array:
    """Mean over classes of |p_1 - p_2|, (n, c), (n, c) -> (n,).

    p_1 and p_2 are the softmax of two classifiers' logits (Saito et al. 2018, eq. 9).
    """
    chex.assert_rank([first, second], 2)
    first, second = ops.at_least_float32((first, second))
    return jnp.mean(jnp.abs(jax.nn.softmax(first) - jax.nn.softmax(second)), -1)
