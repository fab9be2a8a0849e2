"""Regions of score maps and images: upsampling, boxes, crops."""

import chex
import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.ops import precision
from transfer_jax.types import Array


@precision.full_precision
def class_activation_maps(
    features: Array, weight: Array, bias: Array | None = None
) -> Array:
    """Scores of each class at each position, (n, h, w, d), (d, c) -> (n, h, w, c).

    M_c(i, j) = sum_k w_kc f_k(i, j) (Zhou et al., CVPR 2016, eq. 2), for a classifier
    on globally averaged features. If the bias is given, it is added, so that the mean
    over positions is the logit.
    """
    chex.assert_rank([features, weight], [4, 2])
    maps = features @ weight
    return maps if bias is None else maps + bias


def upsample(maps: Array, size: tuple[int, int]) -> Array:
    """Bilinear interpolation to (height, width), (n, h, w, c) -> (n, *size, c).

    Positions are the centres of equal parts of the image, because maps cover the image.
    Beyond the outer centres a map is constant.
    """
    chex.assert_rank(maps, 4)
    shape = (maps.shape[0], *size, maps.shape[3])
    return jax.image.resize(maps, shape, 'bilinear', antialias=False)


def boxes_at_peaks(maps: Array, count: int, size: float) -> Array:
    """Squares around the highest scores of any class, (n, h, w, c) -> (n, count, 4).

    Boxes are x0, y0, x1, y1 as fractions of the image, `size` wide and high, shifted to
    lie inside it. The first is around the highest score of all classes. Each next one
    is around the highest score at a distance of more than a quarter of `size`, in x or
    in y, from all earlier ones. If no such position is left, it is around the first
    again. These are the proposals of ProNet (Sun et al., CVPR 2016, section 3.2) at one
    scale.

    Raises:
      ValueError: the count is below 1, or the size is not between 0 and 1.
    """
    chex.assert_rank(maps, 4)
    if count < 1:
        raise ValueError(f'count {count}: must be at least one box')
    if not 0 < size <= 1:
        raise ValueError(f'size {size}: must be a share of the image, above 0, up to 1')
    n, h, w, _ = maps.shape
    score = jnp.max(maps, -1).reshape(n, h * w)
    index = jnp.arange(h * w)
    x, y = (index % w + 0.5) / w, (index // w + 0.5) / h
    first = jnp.argmax(score, 1)

    def propose(score, _):
        any_left = jnp.max(score, 1) > -jnp.inf
        best = jnp.where(any_left, jnp.argmax(score, 1), first)
        left, top = (jnp.clip(at[best] - size / 2, 0, 1 - size) for at in (x, y))
        near = (jnp.abs(x - x[best][:, None]) <= size / 4) & (
            jnp.abs(y - y[best][:, None]) <= size / 4
        )
        box = jnp.stack([left, top, left + size, top + size], -1)
        return jnp.where(near, -jnp.inf, score), box

    return jnp.moveaxis(lax.scan(propose, score, length=count)[1], 0, 1)


@precision.full_precision
def crop_and_zoom(images: Array, boxes: Array, size: tuple[int, int]) -> Array:
    """Crop boxes and resize them, (n, h, w, c), (n, b, 4) -> (n, b, *size, c).

    Boxes are x0, y0, x1, y1 as fractions of the image. Interpolation is bilinear, at
    the centres of `size` equal parts of the box, and differentiable in images and
    boxes. Outside the image, its border is repeated.
    """
    chex.assert_rank([images, boxes], [4, 3])
    height, width = images.shape[1:3]

    def along(first, last, count, side):
        """(count, side) weights of the pixels of one axis."""
        at = first + (jnp.arange(count) + 0.5) / count * (last - first)
        at = jnp.clip(at * side - 0.5, 0, side - 1)
        return jnp.maximum(1 - jnp.abs(at[:, None] - jnp.arange(side)), 0)

    def crop(image, box):
        x0, y0, x1, y1 = box
        rows, columns = along(y0, y1, size[0], height), along(x0, x1, size[1], width)
        return jnp.einsum('ih,jw,hwc->ijc', rows, columns, image)

    return jax.vmap(jax.vmap(crop, (None, 0)))(images, boxes)
