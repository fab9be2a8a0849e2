"""Joint adaptation networks (Long et al. 2017)."""

from collections.abc import Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from transfer_jax import losses, ops, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def jan(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    weight: optim.Schedule,
    layers: Sequence[str] = ('features', 'logits'),
    kernels: int = 5,
) -> training.Method:
    """JAN: the joint distribution of several layers aligned by one MMD.

    min mean_source CE(y(f(x)), label) + weight * JMMD(source, target)

    with the kernel prod_l k_l over the layers l (eq. 9 and 10). Layer 'logits' enters
    as its softmax, as in the paper. Trains 'encoder' and 'classifier'.

    Deviations: the biased estimate of the whole batch instead of the linear-time one;
    without the adversarial variant (JAN-A); on the class probabilities one Gaussian of
    the median width, as the authors' code has one kernel there.

    Args:
      weight: lambda of eq. 11, as a function of the step.
      layers: of encoder and classifier, by name.
      kernels: odd number of Gaussians on every layer but 'logits'.
    """

    def penalty(passed, state):
        sources, targets, widths = [], [], []
        for layer in layers:
            pair = two_domains.gathered(passed, layer)
            if layer == 'logits':
                pair = tuple(map(jax.nn.softmax, pair))
            count = 1 if layer == 'logits' else kernels
            sources.append(pair[0])
            targets.append(pair[1])
            widths.append(ops.multi_kernel(jnp.concatenate(pair), count))
        return losses.joint_mmd(sources, targets, kernels=widths), {}

    return two_domains.regularised(
        encoder,
        classifier,
        txs=txs,
        weight=weight,
        penalty=penalty,
        layers=layers,
    )
