"""Domain confusion (Tzeng et al. 2015)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import networks, optim


def domain_confusion(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminator: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
) -> training.Method:
    """Trains features for which the discriminator's output is one half.

    Two updates in turn on the same batch:
      discriminator d:
        min mean_source BCE(d(f(x)), 0) + mean_target BCE(d(f(x)), 1)  (eq. 3)
      encoder f, classifier y:
        min mean_source CE(y(f(x)), label)
          + weight * mean over both domains of CE(d(f(x)), uniform)  (eq. 4)

    Trains 'discriminator', then 'encoder' and 'classifier'. The paper's soft labels are
    left out, because they need labelled target images.

    Args:
      weight: lambda of eq. 1, as a function of the step.
    """
    weight = optim.as_schedule(weight, 'weight')
    heads = {'discriminator': two_domains.on_features(discriminator)}

    def init(key, batch):
        return two_domains.create(key, encoder, classifier, batch, txs, heads=heads)

    def discriminate(state, features, key):
        return networks.run(
            discriminator, state, 'discriminator', features, train=True, key=key
        )

    def discriminator_loss(state, batch, key):
        out = two_domains.forward(encoder, classifier, state, batch, key)
        features = jax.lax.stop_gradient(two_domains.both(out, 'features'))
        logits, _, new_state = discriminate(state, features, out.key)
        n = out.label.shape[0]
        loss, accuracy = two_domains.domain_loss(logits[:n], logits[n:])
        return loss, training.Aux({'domain_accuracy': accuracy}, model_state=new_state)

    def encoder_loss(state, batch, key):
        out = two_domains.forward(encoder, classifier, state, batch, key)
        features = two_domains.both(out, 'features')
        logits, _, _ = discriminate(state, features, out.key)
        confusion = jnp.mean(losses.domain_confusion(logits))
        metrics = {**out.metrics, 'confusion': confusion}
        total = out.label_loss + weight(state.step) * confusion
        return total, training.Aux(metrics, model_state=out.model_state)

    phases = [
        training.Phase('discriminator', discriminator_loss, ('discriminator',)),
        training.Phase('train', encoder_loss, ('encoder', 'classifier')),
    ]
    return training.Method(
        init,
        training.make_step(phases, txs),
        networks.classify(encoder, classifier),
    )
