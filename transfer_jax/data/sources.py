"""Sources of images with or without labels, in memory; and reading those of TFDS.

A source is anything with `__len__` and `__getitem__(i)` that returns a dictionary with
'image' (h, w, c) uint8 and 'label', an int. The readers (folders, npz, from_tfds)
decode once and return `Arrays`, from which a stream can take many rows at once.
"""

import dataclasses
import os
from typing import Any, NamedTuple, Protocol

import numpy as np

from transfer_jax.data import checks, images


class Source(Protocol):
    """The input of a stream: item i is {'image': (h, w, c) uint8, 'label': int}."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Images (n, h, w, c) uint8 and labels (n,) int32; `classes` names the labels.

    Raises:
      ValueError: images or labels of another form; the message says what to do.
    """

    image: np.ndarray
    label: np.ndarray
    classes: tuple[str, ...] = ()

    def __post_init__(self):
        checks.check_images(self.image)
        checks.check_labels(self.label, len(self.image), len(self.classes))

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {'image': self.image[index], 'label': int(self.label[index])}

    def take(self, indices: np.ndarray | slice) -> 'Arrays':
        """The rows at `indices` (m,), in that order; a view for a slice."""
        return Arrays(self.image[indices], self.label[indices], self.classes)


@dataclasses.dataclass(frozen=True)
class Images:
    """Images (n, h, w, c) uint8 without labels; raises ValueError for another form."""

    image: np.ndarray

    def __post_init__(self):
        checks.check_images(self.image)

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {'image': self.image[index]}


@dataclasses.dataclass(frozen=True)
class _ImagesOf:
    """The images of a source that is not `Arrays`, without all else."""

    source: Source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {'image': self.source[index]['image']}


def without_labels(source: Source) -> Source:
    """The images of `source`, as a view that gives no access to the labels."""
    if isinstance(source, Images | _ImagesOf):
        return source
    return Images(source.image) if isinstance(source, Arrays) else _ImagesOf(source)


class Domain(NamedTuple):
    """A named data set with its two parts; label i means `classes[i]`."""

    name: str
    classes: tuple[str, ...]
    train: Arrays
    test: Arrays


def from_tfds(
    name: str, split: str, data_dir: str | os.PathLike, size: int | None = None
) -> Arrays:
    """Reads a prepared tensorflow-datasets set without TensorFlow, decoded once.

    Images are stretched to (size, size, c), as those of folders are; without `size`
    they must have one size.

    Raises:
      ValueError: the set was not prepared with `file_format='array_record'`, or holds
        no labelled images, or images of several sizes and there is no `size`.
    """
    import tensorflow_datasets as tfds  # heavy: only where it is used

    try:
        source = tfds.data_source(name, split=split, data_dir=data_dir)
        classes = tuple(source.dataset_info.features['label'].names)
        items = []
        for first in range(0, len(source), 500):  # blocks take a third of the time
            rows = range(first, min(first + 500, len(source)))
            for item in source.__getitems__(rows):
                items.append((_sized(item['image'], size), item['label']))
        image = np.stack([one for one, _ in items])
        label = np.array([one for _, one in items], np.int32)
    except (KeyError, ValueError, NotImplementedError, AttributeError) as error:
        raise ValueError(
            f'tfds:{name} (split {split}, in {data_dir}) is not a set of images with '
            f'labels, {"" if size else "all of one size, "}prepared as array_record: '
            f'{_first_line(error)}'
        ) from None
    return Arrays(image, label, classes)


def tfds_splits(name: str, data_dir: str | os.PathLike) -> tuple[str, ...]:
    """The names of the splits of a prepared tensorflow-datasets set."""
    import tensorflow_datasets as tfds

    return tuple(tfds.builder(name, data_dir=data_dir).info.splits)


def _sized(image: np.ndarray, size: int | None) -> np.ndarray:
    if size is None or image.dtype != np.uint8:  # `Arrays` refuses other types
        return image
    return images.resize(image[None], size)[0]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
