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
    inputs: Callable[[Answers, PyTree], Array]  # of the answers and state.extra


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
    *,
    heads: Mapping[str, Head] | None = None,
    layers: Sequence[str] = (),
    extra: Callable[[Key, Answers], PyTree] | None = None,
) -> TrainState:
    """The first state, with the heads besides encoder and classifier.

    Args:
      extra: makes state.extra from a key and what the networks answer to the source.

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
    kept = () if extra is None else extra(jax.random.fold_in(key, 1), answers)
    for name, head in (heads or {}).items():
        _, params[name], others[name] = networks.initialise_one(
            key, name, head.module, head.inputs(answers, kept)
        )
    return training.state.create(params, others, txs, kept)


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
        return create(key, encoder, classifier, batch, txs, heads=heads, layers=layers)

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


def adversarial(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminator: Head,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    strength: optim.Schedule,
    name: str = 'discriminator',
    extra: Callable[[Key, Answers], PyTree] | None = None,
    importance: Callable[[Array], Array] | None = None,
) -> training.Method:
    """min over encoder and classifier, max over the discriminator, by gradient reversal.

    CE - strength * (mean_source w BCE(discriminator, 0) + mean_target w BCE(discriminator, 1)), the
    discriminator learning at full rate whatever the strength. Its inputs are made of features
    whose gradient is reversed and of logits that are constants.

    Args:
      strength: of the reversal, as a function of the step.
      name: of the discriminator among the networks.
      extra: see `create`.
      importance: class probabilities (n, c) -> w (n,), divided by its mean over the
        domain.
    """

    def init(key, batch):
        heads = {name: discriminator}
        return create(key, encoder, classifier, batch, txs, heads=heads, extra=extra)

    def loss(state, batch, key):
        passed = forward(encoder, classifier, state, batch, key)
        amount = strength(state.step)
        answers = {
            'features': ops.reverse_gradient(both(passed, 'features'), amount),
            'logits': jax.lax.stop_gradient(both(passed, 'logits')),
        }
        guess, _, moved = networks.run(
            discriminator.module,
            state,
            name,
            discriminator.inputs(answers, state.extra),
            train=True,
            key=passed.key,
        )
        n = passed.label.shape[0]
        weights = (None, None)
        if importance is not None:
            p = jax.nn.softmax(answers['logits'])
            weights = importance(p[:n]), importance(p[n:])
        told_apart, right = domain_loss(guess[:n], guess[n:], *weights)
        metrics = {
            **passed.metrics,
            'domain_loss': told_apart,
            'domain_accuracy': right,
            'strength': amount,
        }
        aux = training.Aux(metrics, model_state={**passed.model_state, **moved})
        return passed.label_loss + told_apart, aux

    phase = training.Phase('train', loss, ('encoder', 'classifier', name))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )


def on_features(module: nn.Module) -> Head:
    """A head on the encoder's features, as most are."""
    return Head(module, lambda answers, extra: answers['features'])


def gathered(passed: Pass, layer: str) -> tuple[Array, Array]:
    """(source, target) rows of a layer from all devices."""
    return (
        collective.gather(passed.source[layer]),
        collective.gather(passed.target[layer]),
    )


def both(passed: Pass, layer: str) -> Array:
    """Source rows of a layer, then target rows."""
    return jnp.concatenate([passed.source[layer], passed.target[layer]])


def domain_loss(
    source: Array,
    target: Array,
    source_weight: Array | None = None,
    target_weight: Array | None = None,
) -> tuple[Array, Array]:
    """(binary cross-entropy of a discriminator, its accuracy) with source 0 and target 1.

    The mean over the source logits (n, ...) plus the mean over the target's, weighted
    in each domain by weights (n,) over their mean on all devices.
    """

    def mean(value, weight):
        if weight is None:
            return jnp.mean(value)
        return jnp.mean(weight * value) / collective.mean(jnp.mean(weight))

    loss = mean(losses.binary_cross_entropy(source, 0.0), source_weight) + mean(
        losses.binary_cross_entropy(target, 1.0), target_weight
    )
    return loss, (jnp.mean(source <= 0) + jnp.mean(target > 0)) / 2


def flat(x: Array) -> Array:
    """(n, ...) -> (n, d), in at least float32."""
    return ops.at_least_float32(x.reshape(x.shape[0], -1))
