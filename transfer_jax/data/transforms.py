"""Random transforms of one item, for streams.

A transform is `f(item, rng) -> item`: a pure function of the item and of the draws of
`rng`, a NumPy generator that the stream seeds with (seed, position). 'image' (h, w, c)
is uint8 before and after; all other entries pass through. Those of
data.device_transforms also run within a compiled step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transfer_jax.data import images

Item = dict[str, Any]
Transform = Callable[[Item, np.random.Generator], Item]


def chain(*transforms: Transform) -> Transform:
    """Applies transforms in order, all drawing from the same generator."""

    def apply(item: Item, rng: np.random.Generator) -> Item:
        for transform in transforms:
            item = transform(item, rng)
        return item

    return apply


def blend(photos: Sequence[np.ndarray], strength: float = 1.0) -> Transform:
    """|crop - image| per channel, with a random crop of a random photograph.

    The blending of MNIST-M (Ganin and Lempitsky, ICML 2015, section 4.1). `photos` are
    (h, w, 3) uint8, each at least as large as the image; grey images become RGB.
    `strength` scales the crop; 0 leaves the image unchanged.
    """

    def apply(item: Item, rng: np.random.Generator) -> Item:
        image = item['image']
        crop = random_crop(photos, image.shape[:2], rng)
        if strength != 1.0:
            crop = np.rint(crop * np.float32(strength)).clip(0, 255).astype(np.uint8)
        return {**item, 'image': difference(crop, image)}

    return apply


def random_crop(
    photos: Sequence[np.ndarray], shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """A crop (h, w, c) at a uniformly random position of a random photograph."""
    h, w = shape
    photo = photos[rng.integers(len(photos))]
    top = rng.integers(photo.shape[0] - h + 1)
    left = rng.integers(photo.shape[1] - w + 1)
    return photo[top : top + h, left : left + w]


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a - b| of uint8 arrays, whose plain difference would wrap around."""
    if a.shape != b.shape:  # broadcasting one value is five times slower in NumPy
        b = np.repeat(b, a.shape[-1], axis=-1)
    return np.maximum(a, b) - np.minimum(a, b)


def invert(probability: float) -> Transform:
    """255 - image, with the given probability."""

    def apply(item: Item, rng: np.random.Generator) -> Item:
        if rng.random() >= probability:
            return item
        return {**item, 'image': 255 - item['image']}

    return apply


def shift(pixels: int, fill: str = 'constant') -> Transform:
    """Shifts by up to `pixels` in each direction; `fill`: 'constant' (0) or 'edge'."""

    def apply(item: Item, rng: np.random.Generator) -> Item:
        image = item['image']
        h, w, c = image.shape
        top, left = rng.integers(2 * pixels + 1, size=2)
        if fill == 'constant':  # np.pad takes ten times longer
            padded = np.zeros((h + 2 * pixels, w + 2 * pixels, c), image.dtype)
            padded[pixels : pixels + h, pixels : pixels + w] = image
        else:
            margins = ((pixels, pixels), (pixels, pixels), (0, 0))
            padded = np.pad(image, margins, mode=fill)
        return {**item, 'image': padded[top : top + h, left : left + w]}

    return apply


def rotate(degrees: float) -> Transform:
    """Rotates by up to `degrees` either way, bilinearly, with zeros outside."""

    def apply(item: Item, rng: np.random.Generator) -> Item:
        from PIL import Image  # several times faster than scipy.ndimage here

        image = item['image']
        flat = image[..., 0] if image.shape[-1] == 1 else image
        picture = Image.fromarray(np.ascontiguousarray(flat))
        turned = picture.rotate(
            rng.uniform(-degrees, degrees), Image.Resampling.BILINEAR
        )
        return {**item, 'image': np.asarray(turned).reshape(image.shape)}

    return apply


def jitter(contrast: float = 0.0, brightness: float = 0.0) -> Transform:
    """a (image - mean) + mean + b, a in 1 +- contrast, b in 255 (+- brightness)."""

    def apply(item: Item, rng: np.random.Generator) -> Item:
        scale = np.float32(1 + rng.uniform(-contrast, contrast))
        offset = np.float32(255 * rng.uniform(-brightness, brightness))
        image = item['image'].astype(np.float32)
        mean = image.mean()
        image = np.rint(scale * (image - mean) + mean + offset)
        return {**item, 'image': image.clip(0, 255).astype(np.uint8)}

    return apply


def flip(probability: float = 0.5) -> Transform:
    """Mirrors left to right with the given probability, labels of pixels included."""

    def apply(item: Item, rng: np.random.Generator) -> Item:
        if rng.random() >= probability:
            return item
        turned = {'image': np.ascontiguousarray(item['image'][:, ::-1])}
        if np.ndim(item.get('label')) == 2:
            turned['label'] = np.ascontiguousarray(item['label'][:, ::-1])
        return {**item, **turned}

    return apply


def zoom(
    least: float = 0.4, stretch: float = 4 / 3, size: int | None = None
) -> Transform:
    """A random part of the image, resized bilinearly to the image's size or `size`.

    Its share of the area is drawn from [least, 1], and its aspect ratio log-uniformly
    from [1 / stretch, stretch]: the crops of Szegedy et al. (2015), section 6.
    """

    def apply(item: Item, rng: np.random.Generator) -> Item:
        from PIL import Image

        image = item['image']
        h, w, c = image.shape
        tall_to, wide_to = (h, w) if size is None else (size, size)
        side = np.sqrt(rng.uniform(least, 1.0))
        ratio = np.exp(rng.uniform(-1, 1) * np.log(stretch) / 2)
        tall, wide = min(1.0, side / ratio), min(1.0, side * ratio)
        top, left = rng.uniform(0, 1 - tall) * h, rng.uniform(0, 1 - wide) * w
        flat = image[..., 0] if c == 1 else image
        picture = Image.fromarray(np.ascontiguousarray(flat)).resize(
            (wide_to, tall_to),
            Image.Resampling.BILINEAR,
            box=(left, top, left + wide * w, top + tall * h),
        )
        return {**item, 'image': np.asarray(picture).reshape(tall_to, wide_to, c)}

    return apply


def training(size: int, least: float = 0.08) -> Transform:
    """The usual transform of training: a random part at `size`, flipped at random.

    `least` is the smallest share of the area, 0.08 in Szegedy et al. (2015).
    """
    return chain(zoom(least, size=size), flip())


def evaluation(size: int, zoom: float | None = 1.0) -> Transform:
    """The usual transform of evaluation: the central square (size, size, c).

    The shorter side is scaled to zoom * size (256 / 224 is usual for ImageNet); None
    stretches the image to a square. Images are those that data.load reads at this size
    and zoom. It draws nothing.
    """

    def apply(item: Item, rng: np.random.Generator | None = None) -> Item:
        del rng
        return {**item, 'image': images.fit(item['image'], size, zoom)}

    return apply


def saturate(amount: float) -> Transform:
    """gray + a (image - gray), a in 1 +- amount: changes the colour saturation."""

    def apply(item: Item, rng: np.random.Generator) -> Item:
        scale = np.float32(1 + rng.uniform(-amount, amount))
        image = item['image'].astype(np.float32)
        gray = image @ images.LUMINANCE
        image = np.rint(gray[..., None] + scale * (image - gray[..., None]))
        return {**item, 'image': image.clip(0, 255).astype(np.uint8)}

    return apply
