"""Multi-adversarial domain adaptation (Pei et al. 2018)."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import optax

from transfer_jax import training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim


def mada(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminators: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    strength: optim.Schedule,
) -> training.Method:
    """MADA: one discriminator per class, on the features times the probability of the class.

    min over encoder f and classifier y, max over discriminators d_k, of
      mean_source CE(y(f(x)), label) - strength / K * sum_k
      (mean_source BCE(d_k(p_k f(x)), 0) + mean_target BCE(d_k(p_k f(x)), 1)),

    p = softmax(y(f(x))) (eq. 4 to 6). Trains 'encoder', 'classifier' and 'discriminators'.

    Deviations: the mean over classes instead of the sum, so that the strength does not
    depend on their number; the probabilities are constants in the discriminators' inputs, as
    in the authors' code.

    Args:
      discriminators: (n, K, d) -> (n, K) logits, such as models.ClassDiscriminators.
      strength: lambda, of the reversal, as a function of the step.
    """

    return two_domains.adversarial(
        encoder,
        classifier,
        two_domains.Head(discriminators, _weighted),
        txs=txs,
        strength=strength,
        name='discriminators',
    )


def _weighted(answers, extra):
    p = jax.nn.softmax(answers['logits'])
    return p[:, :, None] * answers['features'][:, None, :]
