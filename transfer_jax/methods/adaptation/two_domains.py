"""What the methods share that train one encoder on source and target together."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from transfer_jax import losses, ops, training
from transfer_jax.ops import collective
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import Array, Batch, Key, Metrics, PyTree

# {'features', 'logits' and the named intermediates: (n, d)}
Answers = Mapping[str, Array]


class Pass(NamedTuple):
    """A training batch through encoder and classifier."""

    source: Answers
    target: Answers
    label: Array  # (n,) of the source
    label_loss: Array  # () mean cross-entropy on the source
    metrics: Metrics
    model_state: PyTree  # of the networks, moved
    key: Key  # for what a method draws besides


class Head(NamedTuple):
    """A network that a method adds, and what it is fed."""

    module: nn.Module
    inputs: Callable[[Answers], Array]


# What a method adds to the source loss: (pass, state) -> (value (), metrics).
Penalty = Callable[[Pass, TrainState], tuple[Array, Metrics]]


def forward(
    encoder: nn.Module, classifier: nn.Module, state: TrainState, batch: Batch, key: Key
) -> Pass:
    """Both domains through the encoder as one batch, then each through the classifier.

    As methods.supervised computes it, so that a penalty of weight zero leaves its bits.
    """
    keys = jax.random.split(key, 3)
    images, domain = networks.join(batch, ['source', 'target'])
    label = batch['source']['label']
    n = label.shape[0]
    features, taps, moved = networks.run(
        encoder, state, 'encoder', images, train=True, key=keys[0], domain=domain
    )

    def classify(rows, key):
        logits, hidden, also = networks.run(
            classifier,
            state,
            'classifier',
            features[rows],
            train=True,
            key=key,
            domain=domain[rows],
        )
        cut = {name: tap[rows] for name, tap in taps.items()}
        answers = {**cut, **hidden, 'features': features[rows], 'logits': logits}
        return {name: flat(answer) for name, answer in answers.items()}, also

    source, also = classify(slice(None, n), keys[1])
    target, _ = classify(slice(n, None), jax.random.fold_in(keys[1], 1))
    label_loss = jnp.mean(losses.cross_entropy(source['logits'], label))
    right = jnp.argmax(source['logits'], -1) == label
    metrics = {'label_loss': label_loss, 'source_accuracy': jnp.mean(right)}
    return Pass(source, target, label, label_loss, metrics, {**moved, **also}, keys[2])


def create(
    key: Key,
    encoder: nn.Module,
    classifier: nn.Module,
    batch: Batch,
    txs: Mapping[str, optax.GradientTransformation],
    heads: Mapping[str, Head] | None = None,
    layers: Sequence[str] = (),
    extra: PyTree = (),
) -> TrainState:
    """The first state, with the heads besides encoder and classifier.

    Raises:
      ValueError: the networks have no layer of a name in `layers`.
    """
    image = batch['source']['image']
    (features, taps), params, others = networks.initialise_one(
        key, 'encoder', encoder, image
    )
    (logits, hidden), own, also = networks.initialise_one(
        key, 'classifier', classifier, features
    )
    params, others = (
        {'encoder': params, 'classifier': own},
        {'encoder': others, 'classifier': also},
    )
    answers = {**taps, **hidden, 'features': features, 'logits': logits}
    answers = {name: flat(answer) for name, answer in answers.items()}
    for name in layers:
        if name not in answers:
            known = ', '.join(sorted(answers))
            raise ValueError(f'no layer {name!r}; there are: {known}')
    for name, head in (heads or {}).items():
        _, params[name], others[name] = networks.initialise_one(
            key, name, head.module, head.inputs(answers)
        )
    return training.state.create(params, others, txs, extra)


def regularised(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    weight: optim.Schedule,
    penalty: Penalty,
    heads: Mapping[str, Head] | None = None,
    layers: Sequence[str] = (),
) -> training.Method:
    """min mean_source CE(y(f(x)), label) + weight * penalty, in one phase.

    Trains 'encoder', 'classifier' and the heads.

    Args:
      weight: of the penalty, as a function of the step.
      layers: names that the penalty reads, checked at the start.
    """

    def init(key, batch):
        return create(key, encoder, classifier, batch, txs, heads, layers)

    def loss(state, batch, key):
        passed = forward(encoder, classifier, state, batch, key)
        value, metrics = penalty(passed, state)
        amount = weight(state.step)
        metrics = {'penalty': value, 'weight': amount, **passed.metrics, **metrics}
        total = passed.label_loss + amount * value
        return total, training.Aux(metrics, model_state=passed.model_state)

    phase = training.Phase('train', loss, ('encoder', 'classifier', *(heads or {})))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )


def gathered(passed: Pass, layer: str) -> tuple[Array, Array]:
    """(source, target) rows of a layer from all devices."""
    return (
        collective.gather(passed.source[layer]),
        collective.gather(passed.target[layer]),
    )


def both(passed: Pass, layer: str) -> Array:
    """Source rows of a layer, then target rows."""
    return jnp.concatenate([passed.source[layer], passed.target[layer]])


def domain_loss(source: Array, target: Array) -> tuple[Array, Array]:
    """(binary cross-entropy of a critic, its accuracy) with source 0 and target 1.

    The mean over the source logits (n, ...) plus the mean over the target's.
    """
    loss = jnp.mean(losses.binary_cross_entropy(source, 0.0)) + jnp.mean(
        losses.binary_cross_entropy(target, 1.0)
    )
    return loss, (jnp.mean(source <= 0) + jnp.mean(target > 0)) / 2


def flat(x: Array) -> Array:
    """(n, ...) -> (n, d), in at least float32."""
    return ops.wide(x.reshape(x.shape[0], -1))
