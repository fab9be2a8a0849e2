"""Domain-adversarial training of neural networks (Ganin & Lempitsky 2015)."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from transfer_jax import losses, ops, training
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
    heads = {'classifier': classifier, 'critic': critic}

    def init(key, batch):
        params, model_state = networks.initialise(
            key, encoder, heads, batch['source']['image']
        )
        return training.state.create(params, model_state, txs)

    def loss(state, batch, key):
        keys = jax.random.split(key, 3)
        images, domain = networks.join(batch, ['source', 'target'])
        label = batch['source']['label']
        amount = strength(state.step)

        def run(module, name, x, key, domain):
            return networks.run(
                module, state, name, x, train=True, key=key, domain=domain
            )

        features, _, moved = run(encoder, 'encoder', images, keys[0], domain)
        n = label.shape[0]
        logits, _, also = run(
            classifier, 'classifier', features[:n], keys[1], domain[:n]
        )
        reversed_features = ops.reverse_gradient(features, amount)
        guess, _, third = run(critic, 'critic', reversed_features, keys[2], domain)

        label_loss = jnp.mean(losses.cross_entropy(logits, label))
        per_example = losses.binary_cross_entropy(guess, domain)
        domain_loss = jnp.mean(per_example[:n]) + jnp.mean(per_example[n:])
        right = (guess > 0) == domain
        metrics = {
            'label_loss': label_loss,
            'domain_loss': domain_loss,
            'source_accuracy': jnp.mean(jnp.argmax(logits, -1) == label),
            'domain_accuracy': (jnp.mean(right[:n]) + jnp.mean(right[n:])) / 2,
            'strength': amount,
        }
        aux = training.Aux(metrics, model_state={**moved, **also, **third})
        return label_loss + domain_loss, aux

    phase = training.Phase('train', loss, ('encoder', 'classifier', 'critic'))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )
