"""Supervised training on one domain: the baseline of every other method."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from transfer_jax import losses, training
from transfer_jax.training import TrainState, networks
from transfer_jax.types import Array, Batch, Key, Metrics, PyTree


def supervised(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
) -> training.Method:
    """Source only: the mean cross-entropy of the source labels.

    min over encoder f, classifier y of mean_source CE(y(f(x)), label).

    Trains 'encoder' and 'classifier' on a batch with 'source' (image, label). If the
    batch has a 'target' (image), it passes through the encoder too and no loss is put
    on it: it takes part in joint batch statistics, as it does in the methods compared
    with this one. To train on the target, name that domain as the source; labels of a
    few target images come as 'target_labelled' (image, label), beside the source or
    alone, and count as the source's do.
    """

    def init(key, batch):
        first = batch[labelled(batch)[0]]['image']
        params, model_state = networks.initialise(
            key, encoder, {'classifier': classifier}, first
        )
        return training.state.create(params, model_state, txs)

    def loss(state, batch, key):
        value, metrics, moved = label_loss(encoder, classifier, state, batch, key)
        return value, training.Aux(metrics, model_state=moved)

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
    """(mean cross-entropy of the labels (), metrics, networks' state moved)."""
    keys = jax.random.split(key, 3)  # as DANN: the same dropout on the same batch
    known = labelled(batch)
    others = [name for name in ('target',) if name in batch]
    images, domain = networks.join(batch, [*known, *others])
    label = jnp.concatenate([batch[name]['label'] for name in known])
    n = label.shape[0]
    features, _, moved = networks.run(
        encoder, state, 'encoder', images, train=True, key=keys[0], domain=domain
    )
    logits, _, also = networks.run(
        classifier,
        state,
        'classifier',
        features[:n],
        train=True,
        key=keys[1],
        domain=domain[:n],
    )
    value = jnp.mean(losses.cross_entropy(logits, label))
    metrics = {f'{known[0]}_accuracy': jnp.mean(jnp.argmax(logits, -1) == label)}
    return value, metrics, {**moved, **also}
