"""Transforms of an image together with the class of each pixel, for streams.

As in `transforms`, but 'label' (h, w) changes with 'image' (h, w, 3); so does
`transforms.flip`. An image without a label is transformed alike.
"""

from collections.abc import Sequence

import numpy as np

from transfer_jax.data.transforms import Item, Transform

VOID = 255


def fit(height: int, width: int) -> Transform:
    """Resizes to (height, width): images bilinearly, labels to the nearest pixel."""
    _check_size(height, width)

    def apply(item: Item, rng: np.random.Generator) -> Item:
        del rng
        h, w = item['image'].shape[:2]
        return _map(item, lambda x, how: _part(x, (0, 0, w, h), (height, width), how))

    return apply


def scale_and_crop(
    height: int,
    width: int,
    *,
    scales: tuple[float, float] = (0.5, 1.5),
    void: int = VOID,
    fill: Sequence[int] = (0, 0, 0),
) -> Transform:
    """A random crop (height, width) of the image resized by a random factor.

    The factor is uniform in `scales`, by default those of DeepLab-v2 (Chen et al.,
    TPAMI 2018, section 4.1.2). A resized image that is smaller than the crop lies at
    its top left; beside it the colour is `fill` and the label `void`. Only the part
    that is needed is resized: images bilinearly, labels to the nearest pixel.
    """
    _check_size(height, width)
    if not 0 < scales[0] <= scales[1]:
        raise ValueError(f'scales {scales}: not 0 < least <= most')

    def apply(item: Item, rng: np.random.Generator) -> Item:
        scale = rng.uniform(*scales)
        sides = item['image'].shape[:2]
        made, begin, end = [], [], []
        for side, wanted in zip(sides, (height, width), strict=True):
            made.append(min(wanted, max(1, round(side * scale))))
            length = min(side, made[-1] / scale)
            begin.append(rng.uniform(0, side - length))
            end.append(begin[-1] + length)
        box = (begin[1], begin[0], end[1], end[0])

        def crop(x, how):
            part = _part(x, box, made, how)
            if part.shape[:2] == (height, width):
                return part
            whole = np.empty((height, width, *x.shape[2:]), x.dtype)
            whole[:] = fill if x.ndim == 3 else void
            whole[: made[0], : made[1]] = part
            return whole

        return _map(item, crop)

    return apply


def _map(item, function):
    """The item with function(array, name of Pillow's resampling) of both arrays."""
    made = {'image': function(item['image'], 'BILINEAR')}
    if np.ndim(item.get('label')) == 2:
        made['label'] = function(item['label'], 'NEAREST')
    return {**item, **made}


def _part(x, box, shape, how):
    """The box (x0, y0, x1, y1) of an array, resized to (height, width)."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(x))
    resampling = Image.Resampling[how]
    return np.array(picture.resize((shape[1], shape[0]), resampling, box=box))


def _check_size(height, width):
    if height < 1 or width < 1:
        raise ValueError(f'size {height} x {width}: must be at least 1 x 1')
