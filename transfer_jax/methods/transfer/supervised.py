"""Supervised training on one domain: the baseline of every other method."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses, training
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import Array, Batch, Key, Metrics, PyTree


def supervised(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
) -> training.Method:
    """Source only: the mean cross-entropy of the source labels.

    min over encoder f, classifier y of mean_source CE(y(f(x)), label).

    Trains 'encoder' and 'classifier' on a batch with 'source' (image, label). A
    'target' (image) in the batch passes through the encoder too, but has no loss: it
    takes part in joint batch statistics, as in the methods that are compared with this
    one. To train on the target, use it as the source. A few labelled target images can
    be given as 'target_labelled' (image, label), with the source or alone. Their labels
    count like the source's.
    """

    def init(key, batch):
        first = batch[labelled(batch)[0]]['image']
        params, model_state = networks.initialise(
            key, encoder, {'classifier': classifier}, first
        )
        return training.state.create(params, model_state, txs)

    def loss(state, batch, key):
        value, metrics, new_state = label_loss(encoder, classifier, state, batch, key)
        return value, training.Aux(metrics, model_state=new_state)

    phase = training.Phase('train', loss, ('encoder', 'classifier'))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )


def labelled(batch: Batch) -> list[str]:
    """The domains of a batch that have labels."""
    return [name for name in ('source', 'target_labelled') if name in batch]


def label_loss(
    encoder: nn.Module, classifier: nn.Module, state: TrainState, batch: Batch, key: Key
) -> tuple[Array, Metrics, PyTree]:
    """(mean cross-entropy of the labels (), metrics, the networks' new collections)."""
    keys = jax.random.split(key, 3)  # as in DANN: the same dropout on the same batch
    with_labels = labelled(batch)
    unlabelled = [name for name in ('target',) if name in batch]
    images, domain = networks.join(batch, [*with_labels, *unlabelled])
    label = jnp.concatenate([batch[name]['label'] for name in with_labels])
    n = label.shape[0]
    features, _, encoder_state = networks.run(
        encoder, state, 'encoder', images, train=True, key=keys[0], domain=domain
    )
    logits, _, classifier_state = networks.run(
        classifier,
        state,
        'classifier',
        features[:n],
        train=True,
        key=keys[1],
        domain=domain[:n],
    )
    value = jnp.mean(losses.cross_entropy(logits, label))
    accuracy = jnp.mean(jnp.argmax(logits, -1) == label)
    metrics = {f'{with_labels[0]}_accuracy': accuracy}
    return value, metrics, {**encoder_state, **classifier_state}
