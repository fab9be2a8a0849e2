"""Entropy minimisation (Grandvalet & Bengio 2005), also as in AutoDIAL."""

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def entropy_minimization(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
) -> training.Method:
    """Entropy minimisation: makes predictions on the target confident.

    min mean_source CE(y(f(x)), label) + weight * mean_target H(y(f(x)))

    (Grandvalet & Bengio 2005, eq. 6). With models.AutoDial as the norm of the encoder
    it is AutoDIAL (Carlucci et al. 2017, eq. 3), whose alphas are trained with the
    encoder. Trains 'encoder' and 'classifier'.

    Args:
      weight: lambda, as a function of the step.
    """

    def penalty(out, state):
        return jnp.mean(ops.entropy(out.target['logits'])), {}

    return two_domains.regularised(
        encoder, classifier, txs=txs, weight=weight, penalty=penalty
    )
