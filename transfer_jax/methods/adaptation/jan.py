"""Joint adaptation networks (Long et al. 2017)."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses, ops, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def jan(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    layers: Sequence[str] = ('features', 'logits'),
    kernels: int = 5,
) -> training.Method:
    """JAN: aligns the joint distribution of several layers by one MMD.

    min mean_source CE(y(f(x)), label) + weight * JMMD(source, target)

    with the kernel prod_l k_l over the layers l (eq. 9 and 10). Layer 'logits' enters
    as its softmax, as in the paper. Trains 'encoder' and 'classifier'.

    Deviations: the estimate is the biased one of the whole batch, not the linear-time
    one. The adversarial variant (JAN-A) is left out. The kernel on the class
    probabilities is one Gaussian of the median width; the authors' code has one kernel
    there too.

    Args:
      weight: lambda of eq. 11, as a function of the step.
      layers: names of layers of the encoder and the classifier.
      kernels: odd number of Gaussians on every layer but 'logits'.
    """

    def penalty(out, state):
        sources, targets, layer_kernels = [], [], []
        for layer in layers:
            pair = two_domains.gathered(out, layer)
            if layer == 'logits':
                pair = tuple(map(jax.nn.softmax, pair))
            count = 1 if layer == 'logits' else kernels
            sources.append(pair[0])
            targets.append(pair[1])
            layer_kernels.append(ops.multi_kernel(jnp.concatenate(pair), count))
        return losses.joint_mmd(sources, targets, kernels=layer_kernels), {}

    return two_domains.regularised(
        encoder,
        classifier,
        txs=txs,
        weight=weight,
        penalty=penalty,
        layers=layers,
    )
