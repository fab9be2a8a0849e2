"""Domain-adversarial training of neural networks (Ganin & Lempitsky 2015)."""

import flax.linen as nn

from transfer_jax import training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def dann(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminator: nn.Module,
    *,
    txs: optim.Optimisers,
    strength: optim.Schedule | float,
) -> training.Method:
    """DANN: the encoder learns the labels and hides the domain from a discriminator.

    min over encoder f and classifier y, max over discriminator d, of
      mean_source CE(y(f(x)), label)
      - strength * (mean_source BCE(d(f(x)), 0) + mean_target BCE(d(f(x)), 1))

    (Ganin et al. 2016, section 4.2). This is one descent step on CE + BCE, with the
    gradient from discriminator to encoder multiplied by -strength. The discriminator
    itself learns at full rate, whatever the strength. Trains 'encoder', 'classifier'
    and 'discriminator' on a batch with 'source' (image, label) and 'target' (image). At
    strength 0, encoder and classifier train as in source only on the same batch.

    Args:
      txs: an optimiser for each of the three networks.
      strength: strength of the reversal, as a function of the step.
    """
    return two_domains.adversarial(
        encoder,
        classifier,
        two_domains.on_features(discriminator),
        txs=txs,
        strength=strength,
    )
