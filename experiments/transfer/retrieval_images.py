"""The images of a retrieval, in memory or in files, and their descriptors."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from experiments.tasks import file_features, photo_features
from transfer_jax import data
from transfer_jax.recipes import backbones

THUMBNAIL = 112  # side of an image of a file in a figure, in pixels


class Square(NamedTuple):
    """The images of a domain, in memory."""

    image: np.ndarray  # (n, h, w, 3)
    label: np.ndarray  # (n,)

    def shown(self, rows: np.ndarray) -> np.ndarray:
        """Some images (..., h, w, 3) of rows (...)."""
        return self.image[rows]


class Files(NamedTuple):
    """Image files, or boxes in them."""

    pictures: tuple[data.shapes.Picture, ...]
    size: int
    square: bool

    def shown(self, rows: np.ndarray) -> np.ndarray:
        """Some images (..., h, w, 3) of rows (...)."""
        side = THUMBNAIL, THUMBNAIL
        drawn = [data.shapes.decode(self.pictures[i], side) for i in rows.ravel()]
        return np.stack(drawn).reshape(*rows.shape, *side, 3)


def domain(name: str, size: int, data_dir: str | None) -> Square:
    """All images of a domain; the test images alone of generated ones."""
    read = data.load(name, size=size, data_dir=data_dir)
    fake = name in ('fake', 'fake_shifted')
    parts = (read.test,) if fake else (read.train, read.test)
    return Square(
        np.concatenate([part.image for part in parts]),
        np.concatenate([part.label for part in parts]),
    )


def gallery(listed: data.landmarks.Gallery, size: int, square: bool) -> Files:
    """The images of a retrieval set."""
    pictures = tuple(data.shapes.Picture(path) for path in listed.images)
    return Files(pictures, size, square)


def queries(listed: data.landmarks.Gallery, size: int, square: bool) -> Files:
    """The queries of a retrieval set, cut at their boxes."""
    pictures = tuple(
        data.shapes.Picture(listed.images[query.index], query.box)
        for query in listed.queries
    )
    return Files(pictures, size, square)


class Describer:
    """Pooled maps of the last layer that has one; each network is compiled once."""

    def __init__(
        self,
        pools: Mapping[str, photo_features.Pool],
        data_dir: str | None,
        random: int | None,
    ):
        """Loads nothing yet.

        Args:
          random: a seed for random weights in place of the pretrained ones.
        """
        self._pools = pools
        self._options = {'data_dir': data_dir, 'random': random}
        self._predictors: dict[str, tuple] = {}

    def __call__(
        self, images: Square | Files, network: str, title: str
    ) -> dict[str, np.ndarray]:
        """{pool: (n, d)} of images, in their order."""
        backbone = backbones.get(network)
        wanted = {name: (backbone.last_map, p) for name, p in self._pools.items()}
        if isinstance(images, Square):
            return photo_features.features(
                network, images.image, wanted, **self._options
            )
        if network not in self._predictors:
            shape = (backbone.size, backbone.size, 3)
            self._predictors[network] = photo_features.predictor(
                network, wanted, shape, **self._options
            )
        return file_features.features(
            images.pictures,
            self._predictors[network],
            tuple(wanted),
            images.size,
            square=images.square,
            title=title,
        )
