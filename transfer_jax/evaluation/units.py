"""The images that excite a unit most, and the regions in them that do.

After Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV
2014. A unit is a channel of a layer (n, h, w, c). Its response to an image is its
largest activation over the positions of the map.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.types import Array


class Responses(NamedTuple):
    """The responses of every unit of a layer to every image."""

    value: np.ndarray  # (n, c), the largest activation
    position: np.ndarray  # (n, c, 2), its row and column in the map


class ReceptiveField(NamedTuple):
    """Position i of a map sees `size` pixels from pixel start + i stride on."""

    size: int = 1
    stride: int = 1
    start: int = 0

    def through_layer(
        self, window: int, stride: int = 1, padding: int = 0
    ) -> 'ReceptiveField':
        """The field after one more convolution or pooling."""
        return ReceptiveField(
            self.size + (window - 1) * self.stride,
            self.stride * stride,
            self.start - padding * self.stride,
        )

    def crop(
        self, image: np.ndarray, position: Sequence[int], fill: float
    ) -> np.ndarray:
        """The part of `image` (h, w, c) that a position sees, (size, size, c).

        Args:
          position: row and column in the map.
          fill: the value of pixels outside the image.
        """
        patch = np.full((self.size, self.size, image.shape[-1]), fill, image.dtype)
        in_image, in_patch = [], []
        for side, at in zip(image.shape[:2], position, strict=True):
            first = self.start + int(at) * self.stride
            low, high = max(first, 0), min(first + self.size, side)
            in_image.append(slice(low, max(low, high)))
            in_patch.append(slice(low - first, max(low, high) - first))
        patch[*in_patch] = image[*in_image]
        return patch


def receptive_fields(
    taps: Callable[[Array], Mapping[str, Array]], side: int, batch: int = 32
) -> dict[str, ReceptiveField]:
    """The receptive field of each layer of any network, found by experiment.

    A row of pixels that is not a number makes every position that sees it one: the rows
    that the position in the middle of the map depends on are its field. Where these
    reach an edge of the image, as where a layer pools or attends over all positions,
    the field is as large as the image.

    Args:
      taps: images (n, side, side, 3) -> {layer: (n, h, w, c)}, each image by itself.
      side: of the images, in pixels.
      batch: images in a call; one in all is needed for each row.
    """
    seen = jax.jit(
        lambda x: {k: jnp.isnan(v).any((2, 3)) for k, v in dict(taps(x)).items()}
    )
    parts = []
    # Fast convolutions of accelerators spread such values to other positions.
    with jax.default_device(jax.local_devices(backend='cpu')[0]):
        for first in range(0, side, batch):
            image = np.zeros((batch, side, side, 3), np.float32)
            rows = range(first, min(first + batch, side))
            image[range(len(rows)), rows] = np.nan
            found = jax.device_get(seen(image))
            parts.append({k: v[: len(rows)] for k, v in found.items()})
    return {
        layer: _field(np.concatenate([part[layer] for part in parts]), side)
        for layer in parts[0]
    }


def _field(seen: np.ndarray, side: int) -> ReceptiveField:
    """Of the rows (side, h) that the positions of a map see."""
    middle = seen.shape[1] // 2
    first, last = (
        np.flatnonzero(seen[:, i])[[0, -1]] for i in (middle, max(middle - 1, 0))
    )
    low, high = (int(x) for x in first)
    stride = high - int(last[1])
    if low == 0 or high == side - 1 or stride <= 0:
        stride = max(side // seen.shape[1], 1)
        return ReceptiveField(side, stride, stride // 2 - side // 2)
    return ReceptiveField(high - low + 1, stride, low - middle * stride)


def responses(
    taps: Callable[[Array], Mapping[str, Array]], batches: Iterable[Array]
) -> dict[str, Responses]:
    """The responses of every unit of every layer to all images.

    Args:
      taps: images (n, h, w, 3) -> {layer: (n, h', w', c)}; it is jitted here.
      batches: of images; a last batch of another size compiles once more.
    """
    strongest = jax.jit(lambda x: jax.tree.map(_strongest, dict(taps(x))))
    pairs_by_layer: dict[str, list] = {}
    for batch in batches:
        for layer, pair in jax.device_get(strongest(batch)).items():
            pairs_by_layer.setdefault(layer, []).append(pair)
    return {
        layer: Responses(*(np.concatenate(parts) for parts in zip(*pairs, strict=True)))
        for layer, pairs in pairs_by_layer.items()
    }


def top_images(value: np.ndarray, count: int) -> np.ndarray:
    """The images that excite each unit most, (n, c) -> (c, count), strongest first.

    Among equal responses the earlier image comes first.
    """
    return np.argsort(-value, axis=0, kind='stable')[:count].T


def contrast(value: np.ndarray, count: int) -> np.ndarray:
    """How much the top `count` images stand out, (n, c) -> (c,).

    The mean response to them divided by the mean response to all images; 0 for a unit
    that never responds.
    """
    best = -np.sort(-value, axis=0)[:count].mean(0)
    mean = value.mean(0)
    return np.divide(best, mean, out=np.zeros_like(best), where=mean > 0)


def excitation(
    layer: Callable[[Array], Array], images: Array, unit: Array, position: Array
) -> Array:
    """Gradient of one activation per image by the pixels of that image, (n, h, w, 3).

    With ops.guided_relu in the network this is guided backpropagation.

    Args:
      layer: images (n, h, w, 3) -> (n, h', w', c), each image by itself.
      unit: (n,) the channel for each image.
      position: (n, 2) its row and column.
    """

    def activation(x):
        rows = jnp.arange(x.shape[0])
        return layer(x)[rows, position[:, 0], position[:, 1], unit].sum()

    return jax.grad(activation)(images)


def _strongest(x: Any) -> tuple[Array, Array]:
    n, _, width, channels = x.shape
    flat = x.reshape(n, -1, channels)
    at = flat.argmax(1)
    value = jnp.take_along_axis(flat, at[:, None], 1)[:, 0]
    return value.astype(jnp.float32), jnp.stack([at // width, at % width], -1)
