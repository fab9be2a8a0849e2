"""Images of the experiments, in memory or read from files when they are needed."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import Protocol

import numpy as np

from transfer_jax import data

THREADS = 8  # that decode files; decoding releases Python's lock
BLOCK = 320  # images in memory at once, where files are read in order


class Loadable(Protocol):
    """Image files, such as data.voc.Annotated."""

    files: Sequence[pathlib.Path]

    def load_image(self, index: int) -> np.ndarray:
        """(h, w, 3) uint8."""
        ...


@dataclasses.dataclass(frozen=True)
class Photos:
    """Photographs of several sizes, each stretched to a square of `side` pixels.

    Only the images that are being read are in memory.
    """

    photos: Loadable
    side: int

    def __len__(self) -> int:
        return len(self.photos.files)

    def __getitem__(self, index: int) -> np.ndarray:
        """(side, side, 3) uint8."""
        image = self.photos.load_image(index)
        return data.images.resize(image[None], self.side)[0]


Images = np.ndarray | Photos  # (n, side, side, 3) uint8


def blocks(images: Images) -> Iterator[np.ndarray]:
    """All images in order, as arrays (k, side, side, 3); an array is one block."""
    if isinstance(images, np.ndarray):
        yield images
        return
    with futures.ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(images), BLOCK):
            rows = range(start, min(start + BLOCK, len(images)))
            yield np.stack(list(pool.map(images.__getitem__, rows)))


def some(images: Images, count: int) -> np.ndarray:
    """The first images, (m, side, side, 3)."""
    return np.stack([images[i] for i in range(min(count, len(images)))])


@dataclasses.dataclass(frozen=True)
class Views:
    """A source of images with labels; item i + n is the mirrored i."""

    images: Images
    label: np.ndarray  # (n, c), or (n,)

    def __len__(self) -> int:
        return 2 * len(self.label)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        mirrored, i = divmod(index, len(self.label))
        image = self.images[i]
        return {'image': image[:, ::-1] if mirrored else image, 'label': self.label[i]}

    def take(self, rows: np.ndarray) -> 'Views':
        """The items of some images, which are in memory."""
        return Views(self.images[rows], self.label[rows])
