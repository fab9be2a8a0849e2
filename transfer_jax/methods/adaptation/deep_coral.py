"""Deep CORAL (Sun & Saenko 2016)."""

from collections.abc import Sequence

import flax.linen as nn

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def deep_coral(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    layers: Sequence[str] = ('logits',),
) -> training.Method:
    """Deep CORAL: reduces the distance of the domains' covariances.

    min mean_source CE(y(f(x)), label)
        + weight * sum_l ||C_source^l - C_target^l||_F^2 / (4 d_l^2)

    (eq. 1 and 6). Trains 'encoder' and 'classifier'.

    Args:
      weight: lambda of eq. 6, as a function of the step.
      layers: names of layers of the encoder and the classifier; the paper uses the last
        one.
    """

    def penalty(out, state):
        pairs = [two_domains.gathered(out, layer) for layer in layers]
        return sum(losses.coral(source, target) for source, target in pairs), {}

    return two_domains.regularised(
        encoder,
        classifier,
        txs=txs,
        weight=weight,
        penalty=penalty,
        layers=layers,
    )
