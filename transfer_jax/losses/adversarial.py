"""Losses of domain discriminators and critics, and of the encoders against them."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array


def binary_cross_entropy(logits: Array, target: Array | float) -> Array:
    """Negative log-likelihood of a binary target under sigmoid, (n,) -> (n,).

    l = -t log s(z) - (1 - t) log(1 - s(z)) = log(1 + e^z) - z t,

    which cannot overflow. With t the domain (source 0, target 1) it is the domain loss
    of DANN (Ganin et al. 2016, section 4.2); with t inverted, the encoder's loss of
    ADDA (Tzeng et al. 2017, eq. 7).

    Args:
      logits: (n,) of the discriminator; or of any shape.
      target: of the same shape, or one number, in [0, 1].
    """
    if jnp.ndim(target):
        chex.assert_equal_shape([logits, target])
    logits = ops.at_least_float32(logits)
    return jax.nn.softplus(logits) - logits * target


def confusion(logits: Array) -> Array:
    """Cross-entropy of the discriminator's answer with 'either domain', (n,) -> (n,).

    l = -1/2 log s(z) - 1/2 log(1 - s(z)) (Tzeng et al. 2015, eq. 4): smallest, log 2,
    where the discriminator cannot tell. Its gradient does not vanish where it is sure.
    """
    return binary_cross_entropy(logits, 0.5)


def wasserstein(source: Array, target: Array) -> Array:
    """Estimate of the 1-Wasserstein distance by a critic, (n,), (m,) -> ().

    mean_source f(x) - mean_target f(x), for a critic f with |f(x) - f(y)| <= |x - y|
    that makes it as large as it can (Shen et al. 2018, eq. 3).
    """
    chex.assert_rank([source, target], 1)
    return jnp.mean(source) - jnp.mean(target)


def gradient_penalty(critic: Callable[[Array], Array], x: Array) -> Array:
    """(||grad_x critic(x)|| - 1)^2, (n, d) -> (n,).

    (Gulrajani et al. 2017, eq. 3; on features, Shen et al. 2018, eq. 4.)

    Args:
      critic: (n, d) -> (n,), each example by itself.
    """
    chex.assert_rank(x, 2)
    slope = jax.grad(lambda x: jnp.sum(critic(x)))(x)
    square = jnp.sum(slope**2, -1)
    positive = square > 0  # the root has no gradient at zero
    length = jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
    return (length - 1) ** 2


def multilinear(features: Array, probabilities: Array) -> Array:
    """Outer products f (x) g, flattened, (n, d), (n, c) -> (n, d c).

    What the discriminator of CDAN sees (Long et al. 2018, eq. 4).
    """
    chex.assert_rank([features, probabilities], 2)
    product = features[:, :, None] * probabilities[:, None, :]
    return product.reshape(product.shape[0], -1)


def random_multilinear(
    features: Array, probabilities: Array, *, maps: tuple[Array, Array]
) -> Array:
    """Products of random maps (R_f f) * (R_g g) / sqrt(k), -> (n, k).

    Its inner products estimate those of `multilinear` (Long et al. 2018, eq. 6).

    Args:
      maps: (d, k) and (c, k), fixed, entries of variance 1.
    """
    chex.assert_rank([features, probabilities], 2)
    k = maps[0].shape[1]
    return (features @ maps[0]) * (probabilities @ maps[1]) / jnp.sqrt(float(k))


def certainty(probabilities: Array) -> Array:
    """Weights 1 + exp(-H(p_i)), (n, c) -> (n,).

    Sure predictions count more (CDAN+E, Long et al. 2018, eq. 8). No gradient passes.
    """
    chex.assert_rank(probabilities, 2)
    p = jax.lax.stop_gradient(probabilities)
    entropy = -jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1)), 0), -1)
    return 1 + jnp.exp(-entropy)


def classifier_discrepancy(one: Array, other: Array) -> Array:
    """Mean |p_1 - p_2| over classes of two classifiers' softmax, (n, c) -> (n,).

    (Saito et al. 2018, eq. 9.)
    """
    chex.assert_rank([one, other], 2)
    return jnp.mean(jnp.abs(jax.nn.softmax(one) - jax.nn.softmax(other)), -1)
