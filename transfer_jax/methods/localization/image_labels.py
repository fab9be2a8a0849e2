"""Score maps trained with the labels of whole images."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import training
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import Array, Batch, PyTree

Loss = Callable[[Array, Array], Array]  # (scores (n, c), labels) -> (n,)


def image_labels(
    encoder: nn.Module,
    head: nn.Module,
    *,
    loss: Loss,
    txs: optim.Optimisers,
) -> training.Method:
    """Class score maps, pooled over positions, with a loss on the pooled scores only.

    min over encoder f, head g of mean_i loss(pool(g(f(x_i))), y_i). The maps g(f(x))
    then show where objects are. The pooling belongs to the head (models.ScoreMaps), and
    only the pooling distinguishes the methods: the average is class activation mapping
    (Zhou et al., CVPR 2016), the maximum Oquab et al. (CVPR 2015), log-sum-exp Pinheiro
    and Collobert (CVPR 2015), k-max and k-min WELDON and WILDCAT (Durand et al., CVPR
    2016 and 2017).

    Trains 'encoder' and 'head' on a batch with 'source' (image, label). `predict`
    returns 'logits' (n, c), 'maps' (n, h, w, c) and 'features'.

    Args:
      loss: losses.cross_entropy for labels (n,), losses.multi_label_logistic for labels
        (n, c) of 0 and 1.
      txs: optimisers for 'encoder' and 'head'. In the papers the head learns ten times
        as fast.
    """

    def init(key, batch):
        params, model_state = networks.initialise(
            key, encoder, {'head': head}, batch['source']['image']
        )
        return training.state.create(params, model_state, txs)

    def on_labels(state, batch, key):
        keys = jax.random.split(key)
        images, domain = networks.join(batch, ['source'])
        options = {'train': True, 'domain': domain}
        features, _, encoder_state = networks.run(
            encoder, state, 'encoder', images, key=keys[0], **options
        )
        scores, _, head_state = networks.run(
            head, state, 'head', features, key=keys[1], **options
        )
        value = jnp.mean(loss(scores, batch['source']['label']))
        return value, training.Aux({}, model_state={**encoder_state, **head_state})

    phase = training.Phase('train', on_labels, ('encoder', 'head'))
    return training.Method(
        init, training.make_step([phase], txs), score_maps(encoder, head)
    )


def score_maps(
    encoder: nn.Module, head: nn.Module
) -> Callable[[TrainState, Batch], PyTree]:
    """The `predict` of an encoder and a head that gives maps."""

    def predict(state, batch):
        outputs = {}
        for name, part in batch.items():
            images, domain = networks.join({name: part}, [name])
            features, _, _ = networks.run(
                encoder, state, 'encoder', images, domain=domain
            )
            logits, taps, _ = networks.run(head, state, 'head', features, domain=domain)
            outputs[name] = {'logits': logits, 'features': features, **taps}
        return outputs

    return predict
