"""Deep adaptation networks (Long et al. 2015)."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import losses, ops, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def dan(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    layers: Sequence[str] = ('features', 'logits'),
    kernels: int = 5,
    estimator: Callable = losses.mmd_biased,
) -> training.Method:
    """DAN: multi-kernel MMD on several of the last layers.

    min mean_source CE(y(f(x)), label) + weight * sum_l MMD^2_k(source^l, target^l)

    (eq. 5). k is the mean of Gaussians around the median distance of the pooled batch.
    Trains 'encoder' and 'classifier'.

    Deviations: kernel coefficients are equal. The paper optimises them by a quadratic
    program (section 3.2); the authors' code does not, and takes the sum of the kernels,
    which makes the loss `kernels` times larger. The widths are explained at
    ops.multi_kernel. The estimate is the biased one of the whole batch, which also
    pulls the examples of a domain together, the more the smaller the batch. With the
    weight of the authors' code, whose estimate is unbiased, features can then collapse,
    so the recipe has `estimator=losses.mmd_unbiased`. For speed the paper prefers the
    linear-time estimate, which is `estimator=losses.mmd_linear`.

    Args:
      weight: lambda of eq. 5, as a function of the step.
      layers: names of layers of the encoder and the classifier.
      kernels: odd number of Gaussians, each with twice the variance of the previous
        one.
      estimator: losses.mmd_biased, mmd_unbiased or mmd_linear.
    """

    def penalty(out, state):
        total, metrics = 0.0, {}
        for layer in layers:
            source, target = two_domains.gathered(out, layer)
            kernel = ops.multi_kernel(jnp.concatenate([source, target]), kernels)
            distance = estimator(source, target, kernel=kernel)
            total, metrics[f'mmd_{layer}'] = total + distance, distance
        return total, metrics

    return two_domains.regularised(
        encoder,
        classifier,
        txs=txs,
        weight=weight,
        penalty=penalty,
        layers=layers,
    )
