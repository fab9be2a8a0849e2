"""Multi-adversarial domain adaptation (Pei et al. 2018)."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import optax

from transfer_jax import ops, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import networks, optim


def mada(
    encoder: nn.Module,
    classifier: nn.Module,
    critics: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    strength: optim.Schedule,
) -> training.Method:
    """MADA: one critic per class, on the features times the probability of the class.

    min over encoder f and classifier y, max over critics d_k, of
      mean_source CE(y(f(x)), label) - strength / K * sum_k
      (mean_source BCE(d_k(p_k f(x)), 0) + mean_target BCE(d_k(p_k f(x)), 1)),

    p = softmax(y(f(x))) (eq. 4 to 6). Trains 'encoder', 'classifier' and 'critics'.

    Deviations: the mean over classes instead of the sum, so that the strength does not
    depend on their number; the probabilities are constants in the critics' inputs, as
    in the authors' code.

    Args:
      critics: (n, K, d) -> (n, K) logits, such as models.ClassCritics.
      strength: lambda, of the reversal, as a function of the step.
    """

    def weighted(answers):
        p = jax.lax.stop_gradient(jax.nn.softmax(answers['logits']))
        return p[:, :, None] * answers['features'][:, None, :]

    heads = {'critics': two_domains.Head(critics, weighted)}

    def init(key, batch):
        return two_domains.create(key, encoder, classifier, batch, txs, heads)

    def loss(state, batch, key):
        passed = two_domains.forward(encoder, classifier, state, batch, key)
        amount = strength(state.step)
        answers = {
            'features': ops.reverse_gradient(
                two_domains.both(passed, 'features'), amount
            ),
            'logits': two_domains.both(passed, 'logits'),
        }
        guess, _, moved = networks.run(
            critics, state, 'critics', weighted(answers), train=True, key=passed.key
        )
        n = passed.label.shape[0]
        domain_loss, right = two_domains.domain_loss(guess[:n], guess[n:])
        metrics = {
            **passed.metrics,
            'domain_loss': domain_loss,
            'domain_accuracy': right,
            'strength': amount,
        }
        aux = training.Aux(metrics, model_state={**passed.model_state, **moved})
        return passed.label_loss + domain_loss, aux

    phase = training.Phase('train', loss, ('encoder', 'classifier', 'critics'))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )
