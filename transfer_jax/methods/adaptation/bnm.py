"""Batch nuclear-norm maximisation (Cui et al. 2020)."""

import flax.linen as nn

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def bnm(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
) -> training.Method:
    """BNM: makes predictions on a target batch both confident and diverse.

    min mean_source CE(y(f(x)), label) - weight * ||softmax(y(f(x)))||_* / n

    (eq. 12); see losses.nuclear_norm. Trains 'encoder' and 'classifier'. The authors'
    code has the mean of the singular values, which is n / min(n, c) times this.

    Args:
      weight: lambda, as a function of the step.
    """

    def penalty(out, state):
        _, logits = two_domains.gathered(out, 'logits')
        return -losses.nuclear_norm(logits), {}

    return two_domains.regularised(
        encoder, classifier, txs=txs, weight=weight, penalty=penalty
    )
