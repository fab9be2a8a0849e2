"""Run a network at several image sizes and combine its outputs."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from transfer_jax.types import Array, PyTree

Combine = Callable[[Array], Array]  # (scales, ...) -> (...)


def at_scales(
    predict: Callable[[PyTree], PyTree],
    sizes: Sequence[tuple[int, int]],
    *,
    combine: Combine = lambda stacked: jnp.mean(stacked, 0),
) -> Callable[[PyTree], PyTree]:
    """A `predict` that combines 'logits' and 'maps' of several image sizes.

    Images are resized inside the compiled program, bilinearly with anti-aliasing. Maps
    are resized to the largest of them. A fully convolutional network thus sees objects
    at other sizes (Oquab et al. 2015, section 5; Durand et al. 2016 average the
    scales).

    Args:
      predict: {'image': (n, h, w, c)} -> {'logits': (n, k), 'maps': (n, a, b, k)}.
      sizes: (height, width) of each scale.
      combine: combines scores or maps of all scales, (s, ...) -> (...); the mean, or
        for example the maximum (jnp.max over axis 0).

    Raises:
      ValueError: `sizes` is empty.
    """
    if not sizes:
        raise ValueError('sizes: at least one (height, width) is needed')

    def predict_scales(batch):
        scales = []
        for height, width in sizes:
            image = batch['image']
            if image.shape[1:3] != (height, width):
                shape = (image.shape[0], height, width, image.shape[3])
                image = jax.image.resize(image, shape, 'bilinear')
            scales.append(predict({**batch, 'image': image}))
        rows, columns = (max(s['maps'].shape[i] for s in scales) for i in (1, 2))
        maps = [
            jax.image.resize(
                s['maps'],
                (s['maps'].shape[0], rows, columns, s['maps'].shape[3]),
                'bilinear',
            )
            for s in scales
        ]
        return {
            'logits': combine(jnp.stack([s['logits'] for s in scales])),
            'maps': combine(jnp.stack(maps)),
        }

    return predict_scales
