"""Segmentation with a label for every pixel (Long et al., CVPR 2015)."""

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import losses, training
from transfer_jax.training import networks, optim


def segmentation(segmenter: nn.Module, *, txs: optim.Optimisers) -> training.Method:
    """The mean cross-entropy over the pixels whose label is not void (255).

    Each image has the same weight, whatever its number of void pixels. The paper sums
    over the pixels of one image per step.

    Trains 'segmenter' (models.FCN) on a batch with 'source' (image (n, h, w, 3), label
    (n, h, w)). `predict` returns 'logits' (n, h, w, c).
    """

    def init(key, batch):
        _, params, model_state = networks.initialise_one(
            key, 'segmenter', segmenter, batch['source']['image']
        )
        return training.state.create(
            {'segmenter': params}, {'segmenter': model_state}, txs
        )

    def on_pixels(state, batch, key):
        images, domain = networks.join(batch, ['source'])
        logits, _, new_state = networks.run(
            segmenter, state, 'segmenter', images, train=True, key=key, domain=domain
        )
        value = jnp.mean(losses.pixel_cross_entropy(logits, batch['source']['label']))
        return value, training.Aux({}, model_state=new_state)

    def predict(state, batch):
        outputs = {}
        for name, part in batch.items():
            images, domain = networks.join({name: part}, [name])
            logits, _, _ = networks.run(
                segmenter, state, 'segmenter', images, domain=domain
            )
            outputs[name] = {'logits': logits}
        return outputs

    phase = training.Phase('train', on_pixels, ('segmenter',))
    return training.Method(init, training.make_step([phase], txs), predict)
