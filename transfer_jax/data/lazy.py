"""Image files decoded on access, for data sets larger than memory."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from transfer_jax.data import (
    checks,
    files,
    folders,
    image_files,
    images,
    listed,
    listings,
    own,
    published,
)
from transfer_jax.data.listed import Items, Progress

ORDER_SEED = 0


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """A source of image files; each item has the size of its file.

    A transform must bring them to one size: transforms.training and
    transforms.evaluation. With `threads` or `processes`, streams.labelled decodes
    several at a time. Copies for other processes hold paths as text, because a million
    Path objects take long to copy.
    """

    paths: tuple[pathlib.Path, ...]
    label: np.ndarray  # (n,) int32
    classes: tuple[str, ...] = ()

    def __post_init__(self):
        checks.check_labels(self.label, len(self.paths), len(self.classes))

    def __len__(self) -> int:
        return len(self.paths)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, 'paths': tuple(map(str, self.paths))}

    def __getitem__(self, index: int) -> dict[str, Any]:
        path = pathlib.Path(self.paths[index])
        image = images.decode(image_files.read_bytes(path), path, None)
        return {'image': image, 'label': int(self.label[index])}

    def take(self, indices: np.ndarray | slice) -> 'ImageFiles':
        """The files at `indices` (m,), in that order."""
        rows = np.arange(len(self))[indices]
        paths = tuple(self.paths[i] for i in rows)
        return ImageFiles(paths, self.label[rows], self.classes)


class LazyDomain(NamedTuple):
    """A named data set with its two parts, whose images are not in memory."""

    name: str
    classes: tuple[str, ...]
    train: ImageFiles
    test: ImageFiles
    zoom: float | None  # of transforms.evaluation: as data.load reads the set


def load(
    spec: str,
    *,
    data_dir: str | os.PathLike | None = None,
    progress: Progress | None = None,
) -> LazyDomain:
    """The domain `folder:PATH`, or a published set by its name, read on access.

    Both parts and their labels are those of data.load; their orders are others. Each
    part is its list permuted by a fixed generator, which does not know the labels: no
    image of a set with a split is read before it is needed. A set without a split is
    drawn by the digests of its files, as data.load draws it; then every file is read
    once, and `progress` is called with their number so far.

    Raises:
      ValueError: an unknown name, or lists or folders that cannot be read; one line.
      MissingData: the set is not in the data folder.
    """
    kind, _, rest = spec.partition(':')
    if kind == 'folder' and rest:
        return _from_folder(pathlib.Path(rest).expanduser(), progress)
    if spec not in published.SETS:
        raise ValueError(
            f'no domain {spec!r} is read lazily; choose from '
            f'{", ".join(published.SETS)}, folder:PATH'
        )
    whole = published.load(spec, files.data_dirs(data_dir), progress)
    parts = (
        image_files_of(_permuted(part), whole.classes)
        for part in (whole.train, whole.test)
    )
    return LazyDomain(spec, whole.classes, *parts, whole.zoom)


def from_folder(
    path: str | os.PathLike, classes: Sequence[str] | None = None
) -> ImageFiles:
    """Images stored as `<class>/<file>`, ordered by the SHA-256 digest of their bytes.

    Every file is read once for its digest; none is decoded. `classes` and errors are
    those of folders.files_by_class.
    """
    items, names, left_out = folders.files_by_class(path, classes)
    listings.warn(path, left_out)
    return image_files_of(listed.by_digest(items), names)


def image_files_of(items: Items, classes: tuple[str, ...]) -> ImageFiles:
    """The source of (file, label) pairs, in their order."""
    label = np.array([label for _, label in items], np.int32)
    return ImageFiles(tuple(file for file, _ in items), label, classes)


def _from_folder(folder: pathlib.Path, progress: Progress | None) -> LazyDomain:
    parts = folders.parts(folder)
    for part in parts:
        if part is not None:
            listings.warn(folder, part.left_out)
    train, classes, _ = parts.train
    if parts.test is not None:
        test = parts.test.items
    elif len(train) < 2:
        raise ValueError(f'{folder}: {len(train)} images cannot be cut in two')
    else:
        ordered = listed.by_digest(train, progress)
        first = own.first_part(len(ordered))
        train, test = ordered[:first], ordered[first:]
    sources = (image_files_of(_permuted(part), classes) for part in (train, test))
    return LazyDomain(folder.resolve().name, classes, *sources, None)


def _permuted(items: Items) -> Items:
    order = np.random.default_rng(ORDER_SEED).permutation(len(items))
    return tuple(items[i] for i in order)
