"""Multi-adversarial domain adaptation (Pei et al. 2018)."""

import flax.linen as nn
import jax

from transfer_jax import training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def mada(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminators: nn.Module,
    *,
    txs: optim.Optimisers,
    strength: optim.Schedule | float,
) -> training.Method:
    """MADA: one discriminator per class, on features times the class probability.

    min over encoder f and classifier y, max over discriminators d_k, of
      mean_source CE(y(f(x)), label) - strength / K * sum_k
      (mean_source BCE(d_k(p_k f(x)), 0) + mean_target BCE(d_k(p_k f(x)), 1)),

    p = softmax(y(f(x))) (eq. 4 to 6). Trains 'encoder', 'classifier' and
    'discriminators'.

    Deviations: the loss is the mean over classes, not the sum, and the sum of the two
    domains' means, not the mean over both. So a lambda of the paper is a strength of
    lambda K / 2 here. In the authors' code each discriminator's loss has weight 0.3,
    and the reversal rises to 0.06. The probabilities are constants in the
    discriminators' inputs, as in the authors' code.

    Args:
      discriminators: (n, K, d) -> (n, K) logits, such as models.ClassDiscriminators.
      strength: lambda, the strength of the reversal, as a function of the step.
    """
    return two_domains.adversarial(
        encoder,
        classifier,
        two_domains.Head(discriminators, _weighted),
        txs=txs,
        strength=strength,
        name='discriminators',
    )


def _weighted(outputs, extra):
    p = jax.nn.softmax(outputs['logits'])
    return p[:, :, None] * outputs['features'][:, None, :]
