"""Domain-adversarial training of neural networks (Ganin & Lempitsky 2015)."""

from collections.abc import Mapping

import flax.linen as nn
import optax

from transfer_jax import ops, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import networks, optim


def dann(
    encoder: nn.Module,
    classifier: nn.Module,
    critic: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    strength: optim.Schedule,
) -> training.Method:
    """DANN: the encoder learns labels, and unlearns what tells the domains apart.

    min over encoder f and classifier y, max over critic d, of
      mean_source CE(y(f(x)), label)
      - strength * (mean_source BCE(d(f(x)), 0) + mean_target BCE(d(f(x)), 1))

    (Ganin et al. 2016, section 4.2), as one descent step on CE + BCE with the gradient
    between critic and encoder multiplied by -strength. The critic itself learns at full
    rate whatever the strength. Trains 'encoder', 'classifier' and 'critic' on a batch
    with 'source' (image, label) and 'target' (image); with strength 0, encoder and
    classifier move as in source-only training on the same batch.

    Args:
      txs: an optimiser for each of the three networks.
      strength: of the reversal, as a function of the step.
    """
    heads = {'critic': two_domains.Head(critic, lambda answers: answers['features'])}

    def init(key, batch):
        return two_domains.create(key, encoder, classifier, batch, txs, heads)

    def loss(state, batch, key):
        passed = two_domains.forward(encoder, classifier, state, batch, key)
        amount = strength(state.step)
        features = ops.reverse_gradient(two_domains.both(passed, 'features'), amount)
        guess, _, moved = networks.run(
            critic, state, 'critic', features, train=True, key=passed.key
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

    phase = training.Phase('train', loss, ('encoder', 'classifier', 'critic'))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )
