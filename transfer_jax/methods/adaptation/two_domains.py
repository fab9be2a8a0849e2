"""Shared parts of the methods that train one encoder on source and target together."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses, ops, training
from transfer_jax.methods.adaptation import reversal
from transfer_jax.ops import collective
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import Array, Batch, Key, Metrics, PyTree

# {name: (n, d)} of 'features', 'logits' and the named intermediates.
Outputs = Mapping[str, Array]


class ForwardPass(NamedTuple):
    """Outputs of encoder and classifier on a training batch."""

    source: Outputs
    target: Outputs
    label: Array  # (n,) of the source
    label_loss: Array  # () mean cross-entropy on the source
    metrics: Metrics
    model_state: PyTree  # the networks' new collections
    key: Key  # for further random draws of a method


class Head(NamedTuple):
    """A network that a method adds, and the function that makes its input."""

    module: nn.Module
    inputs: Callable[[Outputs, PyTree], Array]  # of the outputs and state.extra


# A term that a method adds to the source loss:
# (forward pass, state) -> (value (), metrics).
Penalty = Callable[[ForwardPass, TrainState], tuple[Array, Metrics]]


def forward(
    encoder: nn.Module, classifier: nn.Module, state: TrainState, batch: Batch, key: Key
) -> ForwardPass:
    """Run the encoder on both domains as one batch, and the classifier on each.

    The computation is that of methods.supervised. A method whose penalty has weight
    zero therefore trains to the same bits.
    """
    keys = jax.random.split(key, 3)
    images, domain = networks.join(batch, ['source', 'target'])
    label = batch['source']['label']
    n = label.shape[0]
    features, taps, encoder_state = networks.run(
        encoder, state, 'encoder', images, train=True, key=keys[0], domain=domain
    )

    def classify(rows, key):
        logits, classifier_taps, classifier_state = networks.run(
            classifier,
            state,
            'classifier',
            features[rows],
            train=True,
            key=key,
            domain=domain[rows],
        )
        outputs = {
            **{name: tap[rows] for name, tap in taps.items()},
            **classifier_taps,
            'features': features[rows],
            'logits': logits,
        }
        return {name: flat(x) for name, x in outputs.items()}, classifier_state

    source, classifier_state = classify(slice(None, n), keys[1])
    target, _ = classify(slice(n, None), jax.random.fold_in(keys[1], 1))
    label_loss = jnp.mean(losses.cross_entropy(source['logits'], label))
    correct = jnp.argmax(source['logits'], -1) == label
    metrics = {'label_loss': label_loss, 'source_accuracy': jnp.mean(correct)}
    new_state = {**encoder_state, **classifier_state}
    return ForwardPass(source, target, label, label_loss, metrics, new_state, keys[2])


def create(
    key: Key,
    encoder: nn.Module,
    classifier: nn.Module,
    batch: Batch,
    txs: optim.Optimisers,
    *,
    heads: Mapping[str, Head] | None = None,
    layers: Sequence[str] = (),
    extra: Callable[[Key, Outputs], PyTree] | None = None,
) -> TrainState:
    """The first state, with encoder, classifier and heads.

    Args:
      layers: names of layers that must exist.
      extra: makes state.extra from a key and the networks' outputs on the source.

    Raises:
      ValueError: encoder and classifier have no layer of a name in `layers`.
    """
    image = batch['source']['image']
    params, model_state = {}, {}
    (features, taps), params['encoder'], model_state['encoder'] = (
        networks.initialise_one(key, 'encoder', encoder, image)
    )
    (logits, classifier_taps), params['classifier'], model_state['classifier'] = (
        networks.initialise_one(key, 'classifier', classifier, features)
    )
    outputs = {**taps, **classifier_taps, 'features': features, 'logits': logits}
    outputs = {name: flat(x) for name, x in outputs.items()}
    for name in layers:
        if name not in outputs:
            choices = ', '.join(sorted(outputs))
            raise ValueError(f'no layer {name!r}; there are: {choices}')
    extra_state = () if extra is None else extra(jax.random.fold_in(key, 1), outputs)
    for name, head in (heads or {}).items():
        _, params[name], model_state[name] = networks.initialise_one(
            key, name, head.module, head.inputs(outputs, extra_state)
        )
    return training.state.create(params, model_state, txs, extra_state)


def regularised(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    penalty: Penalty,
    heads: Mapping[str, Head] | None = None,
    layers: Sequence[str] = (),
) -> training.Method:
    """A method with one penalty: source loss + weight * penalty, in one phase.

    min mean_source CE(y(f(x)), label) + weight * penalty

    Trains 'encoder', 'classifier' and the heads.

    Args:
      weight: weight of the penalty, as a function of the step.
      layers: names of the layers that the penalty reads; checked in `init`.
    """
    weight = optim.as_schedule(weight, 'weight')

    def init(key, batch):
        return create(key, encoder, classifier, batch, txs, heads=heads, layers=layers)

    def loss(state, batch, key):
        out = forward(encoder, classifier, state, batch, key)
        value, metrics = penalty(out, state)
        weight_t = weight(state.step)
        metrics = {'penalty': value, 'weight': weight_t, **out.metrics, **metrics}
        total = out.label_loss + weight_t * value
        return total, training.Aux(metrics, model_state=out.model_state)

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
    txs: optim.Optimisers,
    strength: optim.Schedule | float,
    name: str = 'discriminator',
    extra: Callable[[Key, Outputs], PyTree] | None = None,
    importance: Callable[[Array], Array] | None = None,
    reverse_importance: bool = False,
) -> training.Method:
    """A method with a domain discriminator d, trained by gradient reversal.

    min over encoder and classifier, max over d, of
      CE - strength * (mean_source w BCE(d, 0) + mean_target w BCE(d, 1))

    The discriminator learns at full rate, whatever the strength. Its inputs are made of
    features whose gradient is reversed and of logits that are constants. It
    warns of a strength of 1 or more at step 0 (reversal.py).

    Args:
      strength: strength of the reversal, as a function of the step.
      name: name of the discriminator among the networks.
      extra: see `create`.
      importance: class probabilities (n, c) -> w (n,), which is divided by its mean
        over the domain.
      reverse_importance: the reversed gradient also goes through w into the class
        predictions, with the mean as a constant. Otherwise w is a constant.
    """
    strength = reversal.schedule(strength)

    def init(key, batch):
        heads = {name: discriminator}
        return create(key, encoder, classifier, batch, txs, heads=heads, extra=extra)

    def loss(state, batch, key):
        out = forward(encoder, classifier, state, batch, key)
        strength_t = strength(state.step)
        outputs = {
            'features': ops.reverse_gradient(both(out, 'features'), strength_t),
            'logits': jax.lax.stop_gradient(both(out, 'logits')),
        }
        logits, _, discriminator_state = networks.run(
            discriminator.module,
            state,
            name,
            discriminator.inputs(outputs, state.extra),
            train=True,
            key=out.key,
        )
        n = out.label.shape[0]
        weights = (None, None)
        if importance is not None:
            class_logits = outputs['logits']
            if reverse_importance:
                class_logits = ops.reverse_gradient(both(out, 'logits'), strength_t)
            p = jax.nn.softmax(class_logits)
            weights = importance(p[:n]), importance(p[n:])
        discriminator_loss, accuracy = domain_loss(logits[:n], logits[n:], *weights)
        metrics = {
            **out.metrics,
            'domain_loss': discriminator_loss,
            'domain_accuracy': accuracy,
            'strength': strength_t,
        }
        new_state = {**out.model_state, **discriminator_state}
        aux = training.Aux(metrics, model_state=new_state)
        return out.label_loss + discriminator_loss, aux

    phase = training.Phase('train', loss, ('encoder', 'classifier', name))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )


def on_features(module: nn.Module) -> Head:
    """A head whose input is the encoder's features."""
    return Head(module, lambda outputs, extra: outputs['features'])


def gathered(out: ForwardPass, layer: str) -> tuple[Array, Array]:
    """(source, target) rows of a layer, gathered from all devices."""
    return (
        collective.gather(out.source[layer]),
        collective.gather(out.target[layer]),
    )


def both(out: ForwardPass, layer: str) -> Array:
    """Source rows of a layer, then target rows."""
    return jnp.concatenate([out.source[layer], out.target[layer]])


def domain_loss(
    source: Array,
    target: Array,
    source_weight: Array | None = None,
    target_weight: Array | None = None,
) -> tuple[Array, Array]:
    """(binary cross-entropy of a discriminator, its accuracy); source 0, target 1.

    The loss is the mean over the source logits (n, ...) plus the mean over the target
    logits. Weights (n,) of a domain are divided by their mean over all devices, which
    is a constant in gradients.
    """

    def mean(value, weight):
        if weight is None:
            return jnp.mean(value)
        size = jax.lax.stop_gradient(jnp.mean(weight))
        return jnp.mean(weight * value) / collective.mean(size)

    loss = mean(losses.binary_cross_entropy(source, 0.0), source_weight) + mean(
        losses.binary_cross_entropy(target, 1.0), target_weight
    )
    return loss, (jnp.mean(source <= 0) + jnp.mean(target > 0)) / 2


def flat(x: Array) -> Array:
    """(n, ...) -> (n, d), in at least float32."""
    return ops.at_least_float32(x.reshape(x.shape[0], -1))
