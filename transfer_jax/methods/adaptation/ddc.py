"""Deep domain confusion (Tzeng et al. 2014)."""

import flax.linen as nn

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def ddc(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    layer: str = 'features',
) -> training.Method:
    """DDC: reduces the distance of the domains' mean features in one layer.

    min mean_source CE(y(f(x)), label)
        + weight * ||mean_source f(x) - mean_target f(x)||^2

    (eq. 1 and 2; the distance is the squared MMD with the linear kernel). Trains
    'encoder' and 'classifier'.

    Deviation: the paper adds a bottleneck layer and chooses its width by this distance.
    Here the layer is an existing layer of the encoder.

    Args:
      weight: lambda of eq. 2, as a function of the step.
      layer: name of the adaptation layer.
    """

    def penalty(out, state):
        source, target = two_domains.gathered(out, layer)
        return losses.mean_distance(source, target), {}

    return two_domains.regularised(
        encoder,
        classifier,
        txs=txs,
        weight=weight,
        penalty=penalty,
        layers=[layer],
    )
