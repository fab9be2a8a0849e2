"""Wasserstein distance guided representation learning (Shen et al. 2018)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.ops import collective
from transfer_jax.training import networks, optim


def wdgrl(
    encoder: nn.Module,
    classifier: nn.Module,
    critic: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    penalty: float = 10.0,
    critic_steps: int = 5,
) -> training.Method:
    """WDGRL: reduces the features' Wasserstein distance, which a critic estimates.

    On each batch, first `critic_steps` times
      critic c:  max mean_source c(f(x)) - mean_target c(f(x))
          - penalty * mean (||grad c|| - 1)^2,
    the penalty at source and target features and at random points between them
    (eq. 3 to 5), then once
      encoder f, classifier y:  min mean_source CE(y(f(x)), label)
          + weight * (mean_source c(f(x)) - mean_target c(f(x)))  (eq. 6 and 7).

    Phase 'encode' trains nothing: it computes the features that the critic's steps
    share. The other phases train 'critic', then 'encoder' and 'classifier'.

    Args:
      critic: a network without dropout and batch statistics; it must be a function of
        each example separately.
      weight: lambda of eq. 7, as a function of the step.
      penalty: gamma of eq. 5.
      critic_steps: n of algorithm 1.
    """
    weight = optim.as_schedule(weight, 'weight')
    heads = {'critic': two_domains.on_features(critic)}

    def init(key, batch):
        return two_domains.create(key, encoder, classifier, batch, txs, heads=heads)

    def score(state, features):
        return networks.run(critic, state, 'critic', features)[0]

    def encode(state, batch, key):
        out = two_domains.forward(encoder, classifier, state, batch, key)
        features = {
            'source': out.source['features'],
            'target': out.target['features'],
        }
        return jnp.zeros(()), training.Aux({}, carry={'features': features})

    def critic_loss(state, batch, key):
        source, target = batch['features']['source'], batch['features']['target']
        n = min(source.shape[0], target.shape[0])
        mix = jax.random.uniform(key, (n * collective.devices(), 1))
        mix = collective.own_rows(mix)
        between = target[:n] + mix * (source[:n] - target[:n])
        distance = losses.wasserstein(score(state, source), score(state, target))
        penalties = losses.gradient_penalty(
            lambda x: score(state, x), jnp.concatenate([source, target, between])
        )
        loss = penalty * jnp.mean(penalties) - distance
        return loss, training.Aux({'distance': distance})

    def encoder_loss(state, batch, key):
        out = two_domains.forward(encoder, classifier, state, batch, key)
        scores = score(state, out.source['features'])
        distance = losses.wasserstein(scores, score(state, out.target['features']))
        metrics = {**out.metrics, 'distance': distance}
        total = out.label_loss + weight(state.step) * distance
        return total, training.Aux(metrics, model_state=out.model_state)

    phases = [
        training.Phase('encode', encode, ()),
        training.Phase('critic', critic_loss, ('critic',), repeat=critic_steps),
        training.Phase('train', encoder_loss, ('encoder', 'classifier')),
    ]
    return training.Method(
        init,
        training.make_step(phases, txs),
        networks.classify(encoder, classifier),
    )
