"""Central moment discrepancy (Zellinger et al. 2017)."""

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def cmd(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    layer: str = 'features',
    moments: int = 5,
) -> training.Method:
    """CMD: matches the means and central moments of a layer, up to order K.

    min mean_source CE(y(f(x)), label) + weight * CMD_K(source, target)

    (eq. 8 and 9). Trains 'encoder' and 'classifier'.

    Deviation: the definition needs activations in an interval [a, b], which the paper
    gets from sigmoid or tanh units. Here tanh is applied to the layer in this term
    only, so the networks stay those of the other methods. With rectified units a = 0
    and b = 1.

    Args:
      weight: weight of the CMD term, as a function of the step.
      layer: name of the layer; its values must not be negative.
      moments: K.
    """

    def penalty(out, state):
        source, target = two_domains.gathered(out, layer)
        return losses.cmd(jnp.tanh(source), jnp.tanh(target), moments=moments), {}

    return two_domains.regularised(
        encoder,
        classifier,
        txs=txs,
        weight=weight,
        penalty=penalty,
        layers=[layer],
    )
