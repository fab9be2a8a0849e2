"""Score maps trained with the labels of whole images."""

from collections.abc import Callable, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from transfer_jax import training
from transfer_jax.training import TrainState, networks
from transfer_jax.types import Array, Batch, PyTree

Loss = Callable[[Array, Array], Array]  # (scores (n, c), labels) -> (n,)


def image_labels(
    encoder: nn.Module,
    head: nn.Module,
    *,
    loss: Loss,
    txs: Mapping[str, optax.GradientTransformation],
) -> training.Method:
    """Maps of class scores, pooled over places, and a loss on the pooled scores alone.

    min over encoder f, head g of mean_i loss(pool(g(f(x_i))), y_i); where things are is
    then read from the maps g(f(x)). The pooling is the head's (models.ScoreMaps) and is
    all that tells these apart: the average is class activation mapping (Zhou et al.,
    CVPR 2016), the maximum Oquab et al. (CVPR 2015), log-sum-exp Pinheiro and Collobert
    (CVPR 2015), k-max and k-min WELDON and WILDCAT (Durand et al., CVPR 2016 and 2017).

    Trains 'encoder' and 'head' on a batch with 'source' (image, label). `predict`
    answers with 'logits' (n, c), 'maps' (n, h, w, c) and 'features'.

    Args:
      loss: losses.cross_entropy for labels (n,), losses.multi_label_logistic for labels
        (n, c) of 0 and 1.
      txs: of 'encoder' and 'head'; the papers let the head learn ten times as fast.
    """

    def init(key, batch):
        params, model_state = networks.initialise(
            key, encoder, {'head': head}, batch['source']['image']
        )
        return training.state.create(params, model_state, txs)

    def on_labels(state, batch, key):
        keys = jax.random.split(key)
        images, domain = networks.join(batch, ['source'])
        how = {'train': True, 'domain': domain}
        features, _, moved = networks.run(
            encoder, state, 'encoder', images, key=keys[0], **how
        )
        scores, _, also = networks.run(
            head, state, 'head', features, key=keys[1], **how
        )
        value = jnp.mean(loss(scores, batch['source']['label']))
        return value, training.Aux({}, model_state={**moved, **also})

    phase = training.Phase('train', on_labels, ('encoder', 'head'))
    return training.Method(
        init, training.make_step([phase], txs), score_maps(encoder, head)
    )


def score_maps(
    encoder: nn.Module, head: nn.Module
) -> Callable[[TrainState, Batch], PyTree]:
    """The `predict` of an encoder and a head with maps."""

    def predict(state, batch):
        answers = {}
        for name, part in batch.items():
            images, domain = networks.join({name: part}, [name])
            features, _, _ = networks.run(
                encoder, state, 'encoder', images, domain=domain
            )
            logits, taps, _ = networks.run(head, state, 'head', features, domain=domain)
            answers[name] = {'logits': logits, 'features': features, **taps}
        return answers

    return predict
