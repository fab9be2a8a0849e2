"""Maximum classifier discrepancy (Saito et al. 2018)."""

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import losses, ops, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import networks, optim


def mcd(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    encoder_steps: int = 4,
) -> training.Method:
    """MCD: two classifiers disagree on target images; the encoder makes them agree.

    L is the source cross-entropy of both classifiers, and D is their mean |p_1 - p_2|
    on the target. Each batch has the phases
      'train': encoder and classifiers  min L  (step A, eq. 10)
      'disagree': classifiers  min L - D  (step B, eq. 11)
      'agree', `encoder_steps` times: encoder  min D  (step C, eq. 13).

    Trains 'encoder', 'classifier' and 'second', a classifier of the same shape with
    another initialisation. Predictions are the mean of both logits.

    The paper has no weight: it is 1. Here it multiplies the second classifier's
    gradient into the encoder in step A, and the updates of steps B and C. A weight of
    their losses would not do, because they are updates of their own: momentum moves a
    network without a gradient, and Adam divides the weight out. The parameters go
    `weight` times as far. The optimiser's state, which the steps share as in the
    authors' code, goes the part min(weight, 1) of the way (training.Phase.part). At 0
    encoder and classifier move as source only, with any optimiser; at 1 all three steps
    are the authors'.

    Args:
      weight: weight of the method, as a function of the step.
      encoder_steps: n of step C.
    """
    weight = optim.as_schedule(weight, 'weight')
    heads = {'second': two_domains.on_features(classifier)}
    names = ('classifier', 'second')

    def init(key, batch):
        return two_domains.create(key, encoder, classifier, batch, txs, heads=heads)

    def second(state, features, key):
        logits, _, new_state = networks.run(
            classifier, state, 'second', features, train=True, key=key
        )
        return ops.at_least_float32(logits), new_state

    def label_loss(state, out, weight_t):
        scaled = ops.reverse_gradient(out.source['features'], -weight_t)
        logits, new_state = second(state, scaled, out.key)
        second_loss = jnp.mean(losses.cross_entropy(logits, out.label))
        return out.label_loss + second_loss, new_state

    def disagreement(state, out):
        logits, _ = second(state, out.target['features'], out.key)
        return jnp.mean(losses.classifier_discrepancy(out.target['logits'], logits))

    def train(state, batch, key):
        out = two_domains.forward(encoder, classifier, state, batch, key)
        loss, second_state = label_loss(state, out, weight(state.step))
        new_state = {**out.model_state, **second_state}
        return loss, training.Aux(out.metrics, model_state=new_state)

    def disagree(state, batch, key):
        out = two_domains.forward(encoder, classifier, state, batch, key)
        loss, _ = label_loss(state, out, 1.0)
        discrepancy = disagreement(state, out)
        return loss - discrepancy, training.Aux({'discrepancy': discrepancy})

    def agree(state, batch, key):
        out = two_domains.forward(encoder, classifier, state, batch, key)
        return disagreement(state, out), training.Aux({})

    def predict(state, batch):
        outputs = networks.classify(encoder, classifier)(state, batch)
        for part in outputs.values():
            logits, _, _ = networks.run(classifier, state, 'second', part['features'])
            part['logits'] = (part['logits'] + logits) / 2
        return outputs

    phases = [
        training.Phase('train', train, ('encoder', *names)),
        training.Phase('disagree', disagree, names, part=weight),
        training.Phase('agree', agree, ('encoder',), encoder_steps, part=weight),
    ]
    return training.Method(init, training.make_step(phases, txs), predict)
