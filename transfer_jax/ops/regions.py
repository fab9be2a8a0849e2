"""Places of score maps, and parts of images: upsampling, boxes, crops."""

import chex
import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.types import Array


def class_activation_maps(
    features: Array, weight: Array, bias: Array | None = None
) -> Array:
    """The score of each class at each place, (n, h, w, d), (d, c) -> (n, h, w, c).

    M_c(i, j) = sum_k w_kc f_k(i, j) (Zhou et al., CVPR 2016, eq. 2), of a classifier
    on globally averaged features; plus the bias where it is given, so that the mean
    over places is the logit.
    """
    chex.assert_rank([features, weight], [4, 2])
    maps = features @ weight
    return maps if bias is None else maps + bias


def upsample(maps: Array, size: tuple[int, int]) -> Array:
    """Bilinear interpolation to (height, width), (n, h, w, c) -> (n, *size, c).

    Places are the middles of equal parts of the image, as is right for maps that cover
    it; beyond the outer middles a map goes on as it is there.
    """
    chex.assert_rank(maps, 4)
    shape = (maps.shape[0], *size, maps.shape[3])
    return jax.image.resize(maps, shape, 'bilinear', antialias=False)


def boxes_at_peaks(maps: Array, count: int, size: float) -> Array:
    """Squares around the best places of any class, (n, h, w, c) -> (n, count, 4).

    Boxes are x0, y0, x1, y1 as shares of the image, `size` wide and high, moved so that
    they lie inside of it. The first is around the highest score of all classes; each
    next one around the highest of the places that are farther than a quarter of `size`
    from all earlier ones, in x or in y, or around the first again, where there is no
    such place: the proposals of ProNet (Sun et al., CVPR 2016, section 3.2) at one
    scale.

    Raises:
      ValueError: a count below 1, or a size that is not between 0 and 1.
    """
    chex.assert_rank(maps, 4)
    if count < 1:
        raise ValueError(f'count {count}: at least one box')
    if not 0 < size <= 1:
        raise ValueError(f'size {size}: a share of the image, above 0, at most 1')
    n, h, w, _ = maps.shape
    score = jnp.max(maps, -1).reshape(n, h * w)
    place = jnp.arange(h * w)
    x, y = (place % w + 0.5) / w, (place // w + 0.5) / h
    first = jnp.argmax(score, 1)

    def propose(score, _):
        some = jnp.max(score, 1) > -jnp.inf
        best = jnp.where(some, jnp.argmax(score, 1), first)
        left, top = (jnp.clip(at[best] - size / 2, 0, 1 - size) for at in (x, y))
        near = (jnp.abs(x - x[best][:, None]) <= size / 4) & (
            jnp.abs(y - y[best][:, None]) <= size / 4
        )
        box = jnp.stack([left, top, left + size, top + size], -1)
        return jnp.where(near, -jnp.inf, score), box

    return jnp.moveaxis(lax.scan(propose, score, length=count)[1], 0, 1)


def crop_and_zoom(images: Array, boxes: Array, size: tuple[int, int]) -> Array:
    """Parts of images, enlarged: (n, h, w, c), (n, b, 4) -> (n, b, *size, c).

    Boxes are x0, y0, x1, y1 as shares of the image. Bilinear, at the middles of `size`
    equal parts of the box; differentiable in images and boxes. Outside of the image its
    border goes on.
    """
    chex.assert_rank([images, boxes], [4, 3])
    height, width = images.shape[1:3]

    def along(first, last, count, side):
        """(count, side) weights of the pixels of one axis."""
        at = first + (jnp.arange(count) + 0.5) / count * (last - first)
        at = jnp.clip(at * side - 0.5, 0, side - 1)
        return jnp.maximum(1 - jnp.abs(at[:, None] - jnp.arange(side)), 0)

    def one(image, box):
        x0, y0, x1, y1 = box
        rows, columns = along(y0, y1, size[0], height), along(x0, x1, size[1], width)
        return jnp.einsum('ih,jw,hwc->ijc', rows, columns, image)

    return jax.vmap(jax.vmap(one, (None, 0)))(images, boxes)
