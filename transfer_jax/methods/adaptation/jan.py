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
    probability_width: float | None = 1.68,
) -> training.Method:
    """JAN: aligns the joint distribution of several layers by one MMD.

    min mean_source CE(y(f(x)), label) + weight * JMMD(source, target)

    with the kernel prod_l k_l over the layers l (eq. 9 and 10). Layer 'logits' enters
    as its softmax, as in the paper. Its kernel is one Gaussian exp(-||p - q||^2 / 1.68)
    of fixed width, as in the authors' code (fix_sigma_list = [None, 1.68]): once the
    predictions are sure and more than half of the pairs share a class, the median
    distance is next to 0, and a kernel of that width separates p = 1 - 1e-6 from
    p = 1 - 2e-6. Trains 'encoder' and 'classifier'.

    Deviations: the estimate is the biased one of the whole batch, not the linear-time
    one. The adversarial variant (JAN-A) is left out. The other layers have the mean of
    Gaussians around the median width; the authors' code has their sum around the mean
    squared distance.

    Args:
      weight: lambda of eq. 11, as a function of the step.
      layers: names of layers of the encoder and the classifier.
      kernels: odd number of Gaussians on every layer but 'logits'.
      probability_width: 2 v of the Gaussian of variance v on class probabilities, as
        squared distance between rows of probabilities, which is at most 2. None: the
        median width.
    """

    def kernel_of(layer, pooled):
        if layer != 'logits':
            return ops.multi_kernel(pooled, kernels)
        if probability_width is None:
            return ops.multi_kernel(pooled, 1)
        return ops.gaussian_kernel(jnp.asarray([probability_width / 2], pooled.dtype))

    def penalty(out, state):
        sources, targets, layer_kernels = [], [], []
        for layer in layers:
            pair = two_domains.gathered(out, layer)
            if layer == 'logits':
                pair = tuple(map(jax.nn.softmax, pair))
            sources.append(pair[0])
            targets.append(pair[1])
            layer_kernels.append(kernel_of(layer, jnp.concatenate(pair)))
        return losses.joint_mmd(sources, targets, kernels=layer_kernels), {}

    return two_domains.regularised(
        encoder,
        classifier,
        txs=txs,
        weight=weight,
        penalty=penalty,
        layers=layers,
    )
