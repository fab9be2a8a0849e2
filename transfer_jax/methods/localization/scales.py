"""One network asked at several sizes of the image, and its answers combined."""

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
    """A `predict` whose 'logits' and 'maps' combine those at several image sizes.

    Images are resized, bilinear with anti-aliasing, inside the compiled program; maps
    are brought to the size of the largest. A fully convolutional network sees objects
    of other sizes in this way (Oquab et al. 2015, section 5; Durand et al. 2016, whose
    scales are averaged).

    Args:
      predict: {'image': (n, h, w, c)} -> {'logits': (n, k), 'maps': (n, a, b, k)}.
      sizes: (height, width) of each scale.
      combine: scores and maps of all scales (s, ...) to one; the mean, or the maximum
        (jnp.max over axis 0).

    Raises:
      ValueError: no sizes.
    """
    if not sizes:
        raise ValueError('sizes: at least one (height, width) is needed')

    def answer(batch):
        found = []
        for height, width in sizes:
            image = batch['image']
            if image.shape[1:3] != (height, width):
                shape = (image.shape[0], height, width, image.shape[3])
                image = jax.image.resize(image, shape, 'bilinear')
            found.append(predict({**batch, 'image': image}))
        rows, columns = (max(f['maps'].shape[i] for f in found) for i in (1, 2))
        maps = [
            jax.image.resize(
                f['maps'],
                (f['maps'].shape[0], rows, columns, f['maps'].shape[3]),
                'bilinear',
            )
            for f in found
        ]
        return {
            'logits': combine(jnp.stack([f['logits'] for f in found])),
            'maps': combine(jnp.stack(maps)),
        }

    return answer
