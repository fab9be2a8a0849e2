"""What a unit answers to: the images that excite it most, and where in them.

After Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV
2014. A unit is a channel of a layer (n, h, w, c); its answer to an image is its largest
activation over the places of the map.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.types import Array


class Answers(NamedTuple):
    """Of every unit of a layer to every image."""

    value: np.ndarray  # (n, c), the largest activation
    place: np.ndarray  # (n, c, 2), row and column of it in the map


class Field(NamedTuple):
    """Receptive fields: place i of a map sees size pixels from start + i stride on."""

    size: int = 1
    stride: int = 1
    start: int = 0

    def after(self, window: int, stride: int = 1, padding: int = 0) -> 'Field':
        """The fields one convolution or pooling further on."""
        return Field(
            self.size + (window - 1) * self.stride,
            self.stride * stride,
            self.start - padding * self.stride,
        )

    def crop(self, image: np.ndarray, place: Sequence[int], fill: float) -> np.ndarray:
        """What `place` (row, column) sees of (h, w, c): (size, size, c).

        Args:
          fill: for what lies outside the image.
        """
        seen = np.full((self.size, self.size, image.shape[-1]), fill, image.dtype)
        inside, own = [], []
        for side, at in zip(image.shape[:2], place, strict=True):
            first = self.start + int(at) * self.stride
            low, high = max(first, 0), min(first + self.size, side)
            inside.append(slice(low, max(low, high)))
            own.append(slice(low - first, max(low, high) - first))
        seen[*own] = image[*inside]
        return seen


def answers(
    taps: Callable[[Array], Mapping[str, Array]], batches: Iterable[Array]
) -> dict[str, Answers]:
    """Of every unit of every layer to all images.

    Args:
      taps: images (n, h, w, 3) -> {layer: (n, h', w', c)}; is jitted here.
      batches: of images; a last one of another size is compiled once more.
    """
    strongest = jax.jit(lambda x: jax.tree.map(_strongest, dict(taps(x))))
    found: dict[str, list] = {}
    for batch in batches:
        for layer, pair in jax.device_get(strongest(batch)).items():
            found.setdefault(layer, []).append(pair)
    return {
        layer: Answers(*(np.concatenate(parts) for parts in zip(*pairs, strict=True)))
        for layer, pairs in found.items()
    }


def top(value: np.ndarray, count: int) -> np.ndarray:
    """The images that excite each unit most, (n, c) -> (c, count), strongest first.

    Of equals the earlier image comes first.
    """
    return np.argsort(-value, axis=0, kind='stable')[:count].T


def contrast(value: np.ndarray, count: int) -> np.ndarray:
    """How much the top images stand out of all, (n, c) -> (c,).

    Their mean answer over the mean answer to all images; 0 for a unit that is silent.
    """
    best = -np.sort(-value, axis=0)[:count].mean(0)
    mean = value.mean(0)
    return np.divide(best, mean, out=np.zeros_like(best), where=mean > 0)


def excitation(
    layer: Callable[[Array], Array], images: Array, unit: Array, place: Array
) -> Array:
    """Gradient of one activation of each image by its pixels, (n, h, w, 3).

    With ops.guided_relu in the network this is guided backpropagation.

    Args:
      layer: images (n, h, w, 3) -> (n, h', w', c), each image by itself.
      unit: (n,) channel of each image; place: (n, 2) row and column.
    """

    def chosen(x):
        rows = jnp.arange(x.shape[0])
        return layer(x)[rows, place[:, 0], place[:, 1], unit].sum()

    return jax.grad(chosen)(images)


def _strongest(x: Any) -> tuple[Array, Array]:
    n, _, width, channels = x.shape
    flat = x.reshape(n, -1, channels)
    at = flat.argmax(1)
    value = jnp.take_along_axis(flat, at[:, None], 1)[:, 0]
    return value.astype(jnp.float32), jnp.stack([at // width, at % width], -1)
