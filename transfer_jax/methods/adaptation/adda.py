"""Adversarial discriminative domain adaptation (Tzeng et al., CVPR 2017)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses, training
from transfer_jax.training import TrainState, networks, optim


def adda(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminator: nn.Module,
    *,
    txs: optim.Optimisers,
) -> training.Method:
    """ADDA's second stage: trains a target encoder to imitate the source features.

    The source encoder is fixed. Each step updates two networks in turn, on one batch:
      discriminator d:
        min (mean_source BCE(d(f_s(x)), 1) + mean_target BCE(d(f_t(x)), 0)) / 2,
      encoder f_t:
        min mean_target BCE(d(f_t(x)), 1)
    (eq. 9; the inverted labels of generative adversarial networks). Start it with
    `start_from_source` on the state of methods.supervised. Trains 'encoder' (of the
    target) and 'discriminator'. The source encoder and the classifier are in
    `state.extra` and are not trained.

    Deviations: the discriminator is updated first, and the encoder's loss uses the new
    discriminator. The authors' code updates both at once from the old values. As in the
    paper, the discriminator reads the encoder's features, and the classifier is fixed;
    the authors' code gives it the ten logits and adapts the layer of the logits too.

    Args:
      txs: optimisers for 'encoder' and 'discriminator'.
    """

    def init(key, batch):
        heads = {'classifier': classifier, 'discriminator': discriminator}
        params, model_state = networks.initialise(
            key, encoder, heads, batch['target']['image']
        )
        frozen = ('encoder', 'classifier')
        trained = ('encoder', 'discriminator')
        return training.state.create(
            {name: params[name] for name in trained},
            {name: model_state[name] for name in trained},
            txs,
            extra={
                'params': {name: params[name] for name in frozen},
                'model_state': {name: model_state[name] for name in frozen},
            },
        )

    def discriminator_loss(state, batch, key):
        source = _source(state)
        features, _, _ = networks.run(
            encoder, source, 'encoder', batch['source']['image']
        )
        target, _, _ = _encode_target(encoder, state, batch, key)
        both = jnp.concatenate([features, jax.lax.stop_gradient(target)])
        logits, _, new_state = networks.run(
            discriminator, state, 'discriminator', both, train=True, key=key
        )
        n = features.shape[0]
        from_source = losses.binary_cross_entropy(logits[:n], 1.0)
        from_target = losses.binary_cross_entropy(logits[n:], 0.0)
        domain_accuracy = (jnp.mean(logits[:n] > 0) + jnp.mean(logits[n:] <= 0)) / 2
        loss = (jnp.mean(from_source) + jnp.mean(from_target)) / 2
        return loss, training.Aux(
            {'domain_accuracy': domain_accuracy}, model_state=new_state
        )

    def encoder_loss(state, batch, key):
        features, _, new_state = _encode_target(encoder, state, batch, key)
        logits, _, _ = networks.run(discriminator, state, 'discriminator', features)
        loss = jnp.mean(losses.binary_cross_entropy(logits, 1.0))
        return loss, training.Aux({}, model_state=new_state)

    def predict(state, batch):
        source = _source(state)
        target = source.replace(
            params={**source.params, 'encoder': state.params['encoder']},
            model_state={
                **source.model_state,
                'encoder': state.model_state['encoder'],
            },
        )
        predict_one = networks.classify(encoder, classifier)
        outputs = {}
        for name, part in batch.items():
            stream_state = source if name == 'source' else target
            outputs.update(predict_one(stream_state, {name: part}))
        return outputs

    phases = [
        training.Phase('discriminator', discriminator_loss, ('discriminator',)),
        training.Phase('encoder', encoder_loss, ('encoder',)),
    ]
    return training.Method(init, training.make_step(phases, txs), predict)


def start_from_source(fresh: TrainState, trained: TrainState) -> TrainState:
    """The first state of the second stage; both encoders are the trained one."""
    frozen = ('encoder', 'classifier')
    return fresh.replace(
        params={**fresh.params, 'encoder': trained.params['encoder']},
        model_state={**fresh.model_state, 'encoder': trained.model_state['encoder']},
        extra={
            'params': {name: trained.params[name] for name in frozen},
            'model_state': {name: trained.model_state[name] for name in frozen},
        },
    )


def _source(state: TrainState) -> TrainState:
    """The state with the frozen source networks as its networks."""
    return state.replace(
        params=state.extra['params'], model_state=state.extra['model_state']
    )


def _encode_target(encoder, state, batch, key):
    images, domain = networks.join(batch, ['target'])
    return networks.run(
        encoder, state, 'encoder', images, train=True, key=key, domain=domain
    )
