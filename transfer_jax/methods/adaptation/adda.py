"""Adversarial discriminative domain adaptation (Tzeng et al., CVPR 2017)."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from transfer_jax import losses, training
from transfer_jax.training import TrainState, networks


def adda(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminator: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
) -> training.Method:
    """ADDA's second stage: a target encoder fooled into the source features.

    With the source encoder fixed, in turn on the same batch
      discriminator d:  min mean_source BCE(d(f_s(x)), 1) + mean_target BCE(d(f_t(x)), 0),
      encoder f_t:  min mean_target BCE(d(f_t(x)), 1)
    (eq. 9; the inverted labels of generative adversarial networks). Start it with
    `start_from_source` on the state of methods.supervised. Trains 'encoder' (of the
    target) and 'discriminator'; the source encoder and the classifier are in `state.extra`
    and never move.

    Deviation: the discriminator's update comes first and the encoder answers the new discriminator;
    the authors' code updates both at once from the old ones.

    Args:
      txs: an optimiser for 'encoder' and for 'discriminator'.
    """

    def init(key, batch):
        heads = {'classifier': classifier, 'discriminator': discriminator}
        params, model_state = networks.initialise(
            key, encoder, heads, batch['target']['image']
        )
        kept = ('encoder', 'classifier')
        moving = ('encoder', 'discriminator')
        return training.state.create(
            {name: params[name] for name in moving},
            {name: model_state[name] for name in moving},
            txs,
            extra={
                'params': {name: params[name] for name in kept},
                'model_state': {name: model_state[name] for name in kept},
            },
        )

    def discriminator_loss(state, batch, key):
        source = _source(state)
        features, _, _ = networks.run(
            encoder, source, 'encoder', batch['source']['image']
        )
        target, _, _ = _encode_target(encoder, state, batch, key)
        both = jnp.concatenate([features, jax.lax.stop_gradient(target)])
        logits, _, moved = networks.run(
            discriminator, state, 'discriminator', both, train=True, key=key
        )
        n = features.shape[0]
        from_source = losses.binary_cross_entropy(logits[:n], 1.0)
        from_target = losses.binary_cross_entropy(logits[n:], 0.0)
        right = (jnp.mean(logits[:n] > 0) + jnp.mean(logits[n:] <= 0)) / 2
        loss = (jnp.mean(from_source) + jnp.mean(from_target)) / 2
        return loss, training.Aux({'domain_accuracy': right}, model_state=moved)

    def encoder_loss(state, batch, key):
        features, _, moved = _encode_target(encoder, state, batch, key)
        logits, _, _ = networks.run(discriminator, state, 'discriminator', features)
        loss = jnp.mean(losses.binary_cross_entropy(logits, 1.0))
        return loss, training.Aux({}, model_state=moved)

    def predict(state, batch):
        source = _source(state)
        target = source.replace(
            params={**source.params, 'encoder': state.params['encoder']},
            model_state={
                **source.model_state,
                'encoder': state.model_state['encoder'],
            },
        )
        of_one = networks.classify(encoder, classifier)
        answers = {}
        for name, part in batch.items():
            chosen = source if name == 'source' else target
            answers.update(of_one(chosen, {name: part}))
        return answers

    phases = [
        training.Phase('discriminator', discriminator_loss, ('discriminator',)),
        training.Phase('encoder', encoder_loss, ('encoder',)),
    ]
    return training.Method(init, training.make_step(phases, txs), predict)


def start_from_source(fresh: TrainState, trained: TrainState) -> TrainState:
    """First state of the second stage: both encoders are the trained source encoder."""
    kept = ('encoder', 'classifier')
    return fresh.replace(
        params={**fresh.params, 'encoder': trained.params['encoder']},
        model_state={**fresh.model_state, 'encoder': trained.model_state['encoder']},
        extra={
            'params': {name: trained.params[name] for name in kept},
            'model_state': {name: trained.model_state[name] for name in kept},
        },
    )


def _source(state: TrainState) -> TrainState:
    """The state as the frozen source networks see it."""
    return state.replace(
        params=state.extra['params'], model_state=state.extra['model_state']
    )


def _encode_target(encoder, state, batch, key):
    images, domain = networks.join(batch, ['target'])
    return networks.run(
        encoder, state, 'encoder', images, train=True, key=key, domain=domain
    )
