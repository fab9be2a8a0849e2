"""Maximum classifier discrepancy (Saito et al. 2018)."""

from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp
import optax

from transfer_jax import losses, ops, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import networks, optim


def mcd(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    weight: optim.Schedule,
    encoder_steps: int = 4,
) -> training.Method:
    """MCD: two classifiers disagree on target images; the encoder makes them agree.

    On each batch, with L the source cross-entropy of both classifiers and D their mean
    |p_1 - p_2| on the target,
      'train': encoder and classifiers  min L  (step A, eq. 10)
      'disagree': classifiers  min L - D  (step B, eq. 11)
      'agree', `encoder_steps` times: encoder  min D  (step C, eq. 13).

    Trains 'encoder', 'classifier' and 'second', a classifier of the same shape with
    other first parameters; predictions are the mean of both logits. The losses of steps
    B and C, and the second classifier's pull on the encoder in A, are times `weight`:
    1 in the paper, and source only at 0.

    Args:
      weight: as a function of the step.
      encoder_steps: n of step C.
    """
    heads = {'second': two_domains.on_features(classifier)}
    names = ('classifier', 'second')

    def init(key, batch):
        return two_domains.create(key, encoder, classifier, batch, txs, heads=heads)

    def second(state, answers, passed, features=None):
        features = answers['features'] if features is None else features
        logits, _, moved = networks.run(
            classifier, state, 'second', features, train=True, key=passed.key
        )
        return ops.at_least_float32(logits), moved

    def label_loss(state, passed, amount):
        pulled = ops.reverse_gradient(passed.source['features'], -amount)
        logits, moved = second(state, passed.source, passed, pulled)
        also = jnp.mean(losses.cross_entropy(logits, passed.label))
        return passed.label_loss + also, moved

    def disagreement(state, passed):
        logits, _ = second(state, passed.target, passed)
        return jnp.mean(losses.classifier_discrepancy(passed.target['logits'], logits))

    def train(state, batch, key):
        passed = two_domains.forward(encoder, classifier, state, batch, key)
        loss, moved = label_loss(state, passed, weight(state.step))
        aux = training.Aux(passed.metrics, model_state={**passed.model_state, **moved})
        return loss, aux

    def disagree(state, batch, key):
        passed = two_domains.forward(encoder, classifier, state, batch, key)
        loss, _ = label_loss(state, passed, 1.0)
        apart = disagreement(state, passed)
        loss = weight(state.step) * (loss - apart)
        return loss, training.Aux({'discrepancy': apart})

    def agree(state, batch, key):
        passed = two_domains.forward(encoder, classifier, state, batch, key)
        loss = weight(state.step) * disagreement(state, passed)
        return loss, training.Aux({})

    def predict(state, batch):
        answers = networks.classify(encoder, classifier)(state, batch)
        for answer in answers.values():
            other, _, _ = networks.run(classifier, state, 'second', answer['features'])
            answer['logits'] = (answer['logits'] + other) / 2
        return answers

    phases = [
        training.Phase('train', train, ('encoder', *names)),
        training.Phase('disagree', disagree, names),
        training.Phase('agree', agree, ('encoder',), repeat=encoder_steps),
    ]
    return training.Method(init, training.make_step(phases, txs), predict)
