"""Shared parts of the methods with separate encoder parameters for each domain."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import TrainState, networks
from transfer_jax.types import Batch, Key, PyTree

# From the full state to one with the networks 'encoder' and 'classifier' of a stream.
View = Callable[[TrainState], TrainState]


def forward(
    encoder: nn.Module,
    classifier: nn.Module,
    source: TrainState,
    target: TrainState,
    batch: Batch,
    key: Key,
) -> tuple[two_domains.ForwardPass, PyTree]:
    """Run each domain through its own stream, then through the shared classifier.

    The source stream computes what methods.supervised computes on a batch without a
    target. Batch statistics are of one stream, and so of one domain.

    Args:
      source: state with the networks of the source stream.
      target: state with the networks of the target stream.

    Returns:
      (forward pass with the source stream's new collections,
       the target encoder's new collections).

    Raises:
      ValueError: the images of the domains differ in size.
    """
    networks.join(batch, ['source', 'target'])  # only for its check of the sizes
    keys = jax.random.split(key, 3)
    label = batch['source']['label']

    def stream(name, state, encoder_key, classifier_key):
        images, domain = networks.join(batch, [name])
        features, taps, encoder_state = networks.run(
            encoder,
            state,
            'encoder',
            images,
            train=True,
            key=encoder_key,
            domain=domain,
        )
        logits, classifier_taps, classifier_state = networks.run(
            classifier,
            state,
            'classifier',
            features,
            train=True,
            key=classifier_key,
            domain=domain,
        )
        outputs = {
            **taps,
            **classifier_taps,
            'features': features,
            'logits': logits,
        }
        outputs = {name: two_domains.flat(x) for name, x in outputs.items()}
        return outputs, encoder_state, classifier_state

    source_outputs, source_state, classifier_state = stream(
        'source', source, keys[0], keys[1]
    )
    target_keys = [jax.random.fold_in(k, 1) for k in keys[:2]]
    target_outputs, target_state, _ = stream('target', target, *target_keys)
    label_loss = jnp.mean(losses.cross_entropy(source_outputs['logits'], label))
    correct = jnp.argmax(source_outputs['logits'], -1) == label
    metrics = {'label_loss': label_loss, 'source_accuracy': jnp.mean(correct)}
    out = two_domains.ForwardPass(
        source_outputs,
        target_outputs,
        label,
        label_loss,
        metrics,
        {**source_state, **classifier_state},
        keys[2],
    )
    return out, target_state['encoder']


def classify(
    encoder: nn.Module, classifier: nn.Module, source: View, target: View
) -> Callable[[TrainState, Batch], PyTree]:
    """The `predict` of two streams: the source's for 'source', else the target's.

    Args:
      source: view of the source stream.
      target: view of the target stream.
    """
    predict_one = networks.classify(encoder, classifier)

    def predict(state, batch):
        outputs = {}
        for name, part in batch.items():
            view = source if name == 'source' else target
            outputs.update(predict_one(view(state), {name: part}))
        return outputs

    return predict


def view(state: TrainState, params: PyTree, model_state: PyTree) -> TrainState:
    """The state with these parameters and collections as its encoder."""
    return state.replace(
        params={**state.params, 'encoder': params},
        model_state={**state.model_state, 'encoder': model_state},
    )


def layers(paths: list[tuple[str, ...]]) -> dict[str, list[tuple[str, ...]]]:
    """Group paths by layer: {'conv_1': [('conv_1', 'bias'), ('conv_1', 'kernel')]}.

    Nested layers are named 'block.conv_1'.
    """
    by_layer: dict[str, list[tuple[str, ...]]] = {}
    for path in sorted(paths):
        by_layer.setdefault('.'.join(path[:-1] or path), []).append(path)
    return by_layer
