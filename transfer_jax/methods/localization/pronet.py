"""The second stage of ProNet: scores the boxes that a first network proposes."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import training
from transfer_jax.training import networks, optim
from transfer_jax.types import Array

Loss = Callable[[Array, Array], Array]  # (scores (n, c), labels) -> (n,)


def pronet(
    encoder: nn.Module,
    head: nn.Module,
    *,
    loss: Loss,
    pool: Callable[[Array], Array],
    txs: optim.Optimisers,
) -> training.Method:
    """Scores of the boxes of an image, pooled over the boxes (Sun et al., CVPR 2016).

    A proposal network, trained by methods.image_labels on whole images at a coarse
    scale, gives maps whose peaks are boxes (ops.boxes_at_peaks). The boxes are cut out
    and enlarged (ops.crop_and_zoom), and this network scores each of them. It uses
    image labels only:

        min over f, g of mean_i loss(pool_b g(f(x_ib)), y_i),

    where x_ib is the enlarged box b of image i. This is multiple instance learning over
    boxes.

    Deviations: the paper's cascade has one more network per stage, and boxes of several
    scales and shapes. Here boxes are squares of one size, and one stage follows the
    proposals.

    Trains 'encoder' and 'head' on a batch with 'source' (image (n, b, h, w, c), label).
    `predict` returns 'logits' (n, c), 'boxes' (n, b, c), the scores of each box, and,
    if the head gives maps, 'maps' (n, b, h, w, c).

    Args:
      head: features of a box -> its scores (c,).
      pool: (n, b, 1, c) -> (n, c), such as ops.global_max.
    """

    def flat(images):
        if images.ndim != 5:
            raise ValueError(
                f'images of boxes must be (n, b, h, w, c), not {images.shape}'
            )
        return images.reshape(-1, *images.shape[2:])

    def per_image(scores, n):
        return scores.reshape(n, -1, *scores.shape[1:])

    def init(key, batch):
        params, model_state = networks.initialise(
            key, encoder, {'head': head}, flat(batch['source']['image'])
        )
        return training.state.create(params, model_state, txs)

    def on_labels(state, batch, key):
        keys = jax.random.split(key)
        images, label = batch['source']['image'], batch['source']['label']
        features, _, encoder_state = networks.run(
            encoder, state, 'encoder', flat(images), train=True, key=keys[0]
        )
        scores, _, head_state = networks.run(
            head, state, 'head', features, train=True, key=keys[1]
        )
        pooled = pool(per_image(scores, len(label))[:, :, None])
        value = jnp.mean(loss(pooled, label))
        return value, training.Aux({}, model_state={**encoder_state, **head_state})

    def predict(state, batch):
        outputs = {}
        for name, part in batch.items():
            n = part['image'].shape[0]
            features, _, _ = networks.run(
                encoder, state, 'encoder', flat(part['image'])
            )
            scores, taps, _ = networks.run(head, state, 'head', features)
            boxes = per_image(scores, n)
            outputs[name] = {'logits': pool(boxes[:, :, None]), 'boxes': boxes}
            outputs[name] |= {tap: per_image(x, n) for tap, x in taps.items()}
        return outputs

    phase = training.Phase('train', on_labels, ('encoder', 'head'))
    return training.Method(init, training.make_step([phase], txs), predict)
