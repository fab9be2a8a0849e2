"""Domain-specific batch normalisation, second stage (Chang et al., CVPR 2019)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import TrainState, networks, optim


def dsbn(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    mixing: optim.Schedule | float,
) -> training.Method:
    """DSBN's second stage: pseudo-labels of the first, refined by the network itself.

    min mean_source CE(F2(x), label) + weight * mean_target CE(F2(x), y'),
    y' = argmax_c (1 - mixing) F1(x)_c + mixing F2(x)_c

    F1 is the network of the first stage, which adapts by another method; it is fixed,
    in `state.extra`. F2 begins anew. Both predict as in evaluation, and y' is a
    constant in gradients. The scores F(x)_c are logits, as in the authors' code. mixing
    rises from 0 to 1 as Ganin's strength does, and weight is 1, as in the paper and in
    the commands of the authors' page. Give the encoder the layers BatchNorm(domains=2,
    separate_affine=True) in both stages, and start with `start_with_labels_of` on the
    state of the first. Trains 'encoder' and 'classifier'.

    Deviation: in the paper the first stage is MSTN or CPUA. In the recipe 'dsbn' it is
    DANN at its own weight, 1 (the adversarial loss of the authors' code has 0.05 in the
    same units), and F2 begins from a random network in place of a pretrained one.

    Args:
      weight: weight of the target's loss, as a function of the step; at 0 the method is
        source training with its norm.
      mixing: lambda of y', the share of the present network, as a function of the step.
    """
    weight = optim.as_schedule(weight, 'weight')
    mixing = optim.as_schedule(mixing, 'mixing')
    predict = networks.classify(encoder, classifier)

    def init(key, batch):
        state = two_domains.create(key, encoder, classifier, batch, txs)
        return start_with_labels_of(state, state)

    def loss(state, batch, key):
        out = two_domains.forward(encoder, classifier, state, batch, key)
        target = {'target': {'image': batch['target']['image']}}
        first = predict(state.replace(**state.extra), target)['target']['logits']
        present = predict(state, target)['target']['logits']
        share, weight_t = mixing(state.step), weight(state.step)
        label = losses.mixed_label(first, present, share=share)
        value = jnp.mean(losses.cross_entropy(out.target['logits'], label))
        metrics = {
            'penalty': value,
            'weight': weight_t,
            'mixing': share,
            # The share of labels that are no longer those of the first stage.
            'changed': jnp.mean(label != jnp.argmax(first, -1)),
            **out.metrics,
        }
        total = out.label_loss + weight_t * value
        return total, training.Aux(metrics, model_state=out.model_state)

    phase = training.Phase('train', loss, ('encoder', 'classifier'))
    return training.Method(init, training.make_step([phase], txs), predict)


def start_with_labels_of(fresh: TrainState, trained: TrainState) -> TrainState:
    """The first state of the second stage: the networks of `fresh` and F1.

    Args:
      fresh: a state of `dsbn`.
      trained: the state after the first stage, of any method with the same encoder and
        classifier.
    """
    names = ('encoder', 'classifier')
    first = {
        'params': {name: trained.params[name] for name in names},
        'model_state': {name: trained.model_state[name] for name in names},
    }
    return fresh.replace(extra=jax.tree.map(jnp.asarray, first))
