"""Photographs of any domain: in memory, or decoded on access.

A domain is what `data.load` reads: a name, folder:PATH, npz:PATH or tfds:NAME. With
`lazy:` before it (lazy:folder:PATH), its images are decoded each time they are read:
for sets larger than memory. ImageNet is always read so.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.tasks import domain_specs
from transfer_jax import data
from transfer_jax.data import image_files, images

LAZY = 'lazy:'
ALWAYS_LAZY = ('imagenet',)


@dataclasses.dataclass(frozen=True)
class Resized:
    """The images of a labelled source of several sizes, each at `size`.

    Attributes:
      source: such as data.lazy.ImageFiles, with an array `label`.
      zoom: as in images.decode; None stretches an image to a square.
    """

    source: Any
    size: int
    zoom: float | None = None
    rows: np.ndarray | None = None  # of the source; None: all

    def __len__(self) -> int:
        return len(self.source) if self.rows is None else len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = index if self.rows is None else int(self.rows[index])
        paths = getattr(self.source, 'paths', None)
        if paths is None:
            item = self.source[row]
            return {**item, 'image': images.fit(item['image'], self.size, self.zoom)}
        path = pathlib.Path(paths[row])  # copies for processes have text
        content = image_files.read_bytes(path)
        image = images.decode(content, path, self.size, self.zoom)
        return {'image': image, 'label': int(self.source.label[row])}

    @property
    def label(self) -> np.ndarray:
        """(n,) int32."""
        label = np.asarray(self.source.label)
        return label if self.rows is None else label[self.rows]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels."""
        return self.source.classes

    def take(self, indices: np.ndarray | slice) -> 'Resized':
        """The images at `indices` (m,), in that order; none is read."""
        return dataclasses.replace(self, rows=self._rows()[indices])

    def renumbered(
        self, indices: np.ndarray, label: np.ndarray, classes: tuple[str, ...]
    ) -> 'Resized':
        """The images at `indices` (m,) with other labels (m,); none is read."""
        paths = tuple(self.source.paths[i] for i in self._rows()[indices])
        source = data.lazy.ImageFiles(paths, label.astype(np.int32), classes)
        return dataclasses.replace(self, source=source, rows=None)

    def _rows(self):
        return np.arange(len(self.source)) if self.rows is None else self.rows


@dataclasses.dataclass(frozen=True)
class Joined:
    """The images of several sources, one after another, without labels."""

    sources: tuple[data.Source, ...]

    def __len__(self) -> int:
        return sum(map(len, self.sources))

    def __getitem__(self, index: int) -> dict[str, Any]:
        for source in self.sources:
            if index < len(source):
                return {'image': source[index]['image']}
            index -= len(source)
        raise IndexError(index)


def check(spec: str) -> str:
    """Returns the spec.

    Raises:
      ValueError: it names no domain; the message lists them.
    """
    if spec.removeprefix(LAZY) not in ALWAYS_LAZY:
        domain_specs.check(spec.removeprefix(LAZY))
    return spec


def load(spec: str, *, size: int, data_dir: str | None) -> data.Domain:
    """The domain; its parts are data.Arrays, or with `lazy:` Resized.

    Images of a folder are stretched to a square; those of named sets are cropped or
    stretched as data.load does.

    Raises:
      ValueError, MissingData: as data.load.
    """
    if not spec.startswith(LAZY) and spec not in ALWAYS_LAZY:
        return data.load(spec, size=size, data_dir=data_dir)
    domain = data.lazy.load(spec.removeprefix(LAZY), data_dir=data_dir)
    make = functools.partial(Resized, size=size, zoom=domain.zoom)
    return data.Domain(
        domain.name, domain.classes, make(domain.train), make(domain.test)
    )


def joined(parts: Sequence[data.Arrays | Resized]) -> np.ndarray | Joined:
    """All images of the parts: one array, or a source that reads them."""
    if all(isinstance(part, data.Arrays) for part in parts):
        return np.concatenate([part.image for part in parts])
    return Joined(tuple(parts))


def images_of(part: data.Arrays | Resized) -> np.ndarray | Resized:
    """What networks read: the array in memory, or the source."""
    return part.image if isinstance(part, data.Arrays) else part
