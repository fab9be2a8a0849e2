"""Minimum class confusion (Jin et al. 2020)."""

import flax.linen as nn

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def mcc(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    temperature: float = 2.5,
) -> training.Method:
    """MCC: reduces the confusion between classes in predictions on the target.

    min mean_source CE(y(f(x)), label) + weight * MCC(logits of the target)

    (eq. 7); see losses.minimum_class_confusion. Trains 'encoder' and 'classifier'.

    Args:
      weight: mu of the paper, as a function of the step.
      temperature: T, which divides the logits.
    """

    def penalty(out, state):
        _, logits = two_domains.gathered(out, 'logits')
        return losses.minimum_class_confusion(logits, temperature=temperature), {}

    return two_domains.regularised(
        encoder, classifier, txs=txs, weight=weight, penalty=penalty
    )
