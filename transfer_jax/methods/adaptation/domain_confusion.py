"""Domain confusion (Tzeng et al. 2015)."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import networks, optim


def domain_confusion(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminator: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    weight: optim.Schedule,
) -> training.Method:
    """An encoder whose features leave the discriminator at one half.

    In turn on the same batch
      discriminator d:  min mean_source BCE(d(f(x)), 0) + mean_target BCE(d(f(x)), 1)  (eq. 3)
      encoder f, classifier y:  min mean_source CE(y(f(x)), label)
          + weight * mean over both of CE(d(f(x)), uniform)  (eq. 4)

    Trains 'discriminator', then 'encoder' and 'classifier'. Without the soft labels of the
    paper, which need labelled target images.

    Args:
      weight: lambda of eq. 1, as a function of the step.
    """
    heads = {'discriminator': two_domains.on_features(discriminator)}

    def init(key, batch):
        return two_domains.create(key, encoder, classifier, batch, txs, heads=heads)

    def guess(state, features, key):
        return networks.run(
            discriminator, state, 'discriminator', features, train=True, key=key
        )

    def discriminator_loss(state, batch, key):
        passed = two_domains.forward(encoder, classifier, state, batch, key)
        features = jax.lax.stop_gradient(two_domains.both(passed, 'features'))
        logits, _, moved = guess(state, features, passed.key)
        n = passed.label.shape[0]
        loss, right = two_domains.domain_loss(logits[:n], logits[n:])
        return loss, training.Aux({'domain_accuracy': right}, model_state=moved)

    def encoder_loss(state, batch, key):
        passed = two_domains.forward(encoder, classifier, state, batch, key)
        logits, _, _ = guess(state, two_domains.both(passed, 'features'), passed.key)
        confused = jnp.mean(losses.confusion(logits))
        metrics = {**passed.metrics, 'confusion': confused}
        total = passed.label_loss + weight(state.step) * confused
        return total, training.Aux(metrics, model_state=passed.model_state)

    phases = [
        training.Phase('discriminator', discriminator_loss, ('discriminator',)),
        training.Phase('train', encoder_loss, ('encoder', 'classifier')),
    ]
    return training.Method(
        init,
        training.make_step(phases, txs),
        networks.classify(encoder, classifier),
    )
