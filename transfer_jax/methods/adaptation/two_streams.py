"""What the methods share whose domains go through encoders with other parameters."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import TrainState, networks
from transfer_jax.types import Batch, Key, PyTree

# The state as the networks of one stream see it, under 'encoder' and 'classifier'.
View = Callable[[TrainState], TrainState]


def forward(
    encoder: nn.Module,
    classifier: nn.Module,
    source: TrainState,
    target: TrainState,
    batch: Batch,
    key: Key,
) -> tuple[two_domains.Pass, PyTree]:
    """Each domain through its own stream, then through the shared classifier.

    On the source stream it computes what methods.supervised computes on a batch without
    a target. Batch statistics are those of a stream, that is, of one domain.

    Args:
      source: the state as the source stream sees it.
      target: the state as the target stream sees it.

    Returns:
      (the pass, with the source stream's collections; the target encoder's ones).

    Raises:
      ValueError: the images of the domains differ in size.
    """
    networks.join(batch, ['source', 'target'])  # raises; computes nothing that is used
    keys = jax.random.split(key, 3)
    label = batch['source']['label']

    def stream(name, state, encoder_key, classifier_key):
        images, domain = networks.join(batch, [name])
        features, taps, moved = networks.run(
            encoder,
            state,
            'encoder',
            images,
            train=True,
            key=encoder_key,
            domain=domain,
        )
        logits, hidden, also = networks.run(
            classifier,
            state,
            'classifier',
            features,
            train=True,
            key=classifier_key,
            domain=domain,
        )
        answers = {**taps, **hidden, 'features': features, 'logits': logits}
        answers = {name: two_domains.flat(answer) for name, answer in answers.items()}
        return answers, moved, also

    of_source, moved, also = stream('source', source, keys[0], keys[1])
    other = [jax.random.fold_in(k, 1) for k in keys[:2]]
    of_target, apart, _ = stream('target', target, *other)
    label_loss = jnp.mean(losses.cross_entropy(of_source['logits'], label))
    right = jnp.argmax(of_source['logits'], -1) == label
    metrics = {'label_loss': label_loss, 'source_accuracy': jnp.mean(right)}
    passed = two_domains.Pass(
        of_source, of_target, label, label_loss, metrics, {**moved, **also}, keys[2]
    )
    return passed, apart['encoder']


def classify(
    encoder: nn.Module, classifier: nn.Module, source: View, target: View
) -> Callable[[TrainState, Batch], PyTree]:
    """The `predict` of two streams: 'source' by its own, the others by the target's."""
    of_one = networks.classify(encoder, classifier)

    def predict(state, batch):
        answers = {}
        for name, part in batch.items():
            view = source if name == 'source' else target
            answers.update(of_one(view(state), {name: part}))
        return answers

    return predict


def view(state: TrainState, params: PyTree, model_state: PyTree) -> TrainState:
    """The state with another encoder: these parameters, these collections."""
    return state.replace(
        params={**state.params, 'encoder': params},
        model_state={**state.model_state, 'encoder': model_state},
    )


def layers(paths: list[tuple[str, ...]]) -> dict[str, list[tuple[str, ...]]]:
    """{'conv_1': [('conv_1', 'bias'), ('conv_1', 'kernel')]}: paths by their parent.

    Nested layers are named 'block.conv_1'.
    """
    found: dict[str, list[tuple[str, ...]]] = {}
    for path in sorted(paths):
        found.setdefault('.'.join(path[:-1] or path), []).append(path)
    return found
