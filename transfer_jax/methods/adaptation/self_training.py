"""Self-training with pseudo-labels (Lee 2013)."""

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def self_training(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    threshold: float = 0.9,
) -> training.Method:
    """Self-training: trains on confident predictions for the target as labels.

    min mean_source CE(y(f(x)), label) + weight * mean_target [max p >= threshold] *
        CE(y(f(x)), argmax p)

    where p is the network's prediction in this step (eq. 15 and 16). Trains 'encoder'
    and 'classifier'.

    Deviation: the paper has no threshold. The metric 'labelled' is the share of target
    examples that reach it.

    Args:
      weight: alpha(t) of eq. 16, as a function of the step.
      threshold: least probability of the most likely class.
    """

    def penalty(out, state):
        logits = out.target['logits']
        value = losses.pseudo_label(logits, threshold=threshold)
        labelled = losses.confident(logits, threshold=threshold)
        return jnp.mean(value), {'labelled': jnp.mean(labelled)}

    return two_domains.regularised(
        encoder, classifier, txs=txs, weight=weight, penalty=penalty
    )
