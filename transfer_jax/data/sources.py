"""Sources of labelled images: arrays in memory, read from folders, .npz or TFDS.

A source is anything with `__len__` and `__getitem__(i)` that returns a dictionary with
'image' (h, w, c) uint8 and 'label', an int. The readers here decode once and return
`Arrays`, from which a stream can take many rows at once.
"""

import dataclasses
import hashlib
import os
import pathlib
import zipfile
from collections.abc import Sequence
from concurrent import futures
from typing import Any, NamedTuple, Protocol

import numpy as np

from transfer_jax.data import checks, images

SUFFIXES = ('.png', '.jpg', '.jpeg', '.ppm', '.pgm', '.bmp', '.gif', '.tif', '.webp')
UNNAMED = 100_000  # more classes than this need names


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

    def take(self, indices: np.ndarray) -> 'Arrays':
        """The rows at `indices` (m,), in that order."""
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


def from_npz(path: str | os.PathLike, split: str = 'train') -> Arrays:
    """Reads the arrays `image`, `label` (and `classes`), or `<split>_x`, `<split>_y`.

    Images are (n, h, w) or (n, h, w, c) uint8, labels whole numbers from 0.

    Raises:
      ValueError: the message names the file and the keys it should have.
    """
    path = pathlib.Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            content = {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise ValueError(f'{path}: there is no such file') from None
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f'{path}: cannot be read as .npz ({error})') from None
    keys = ('image', 'label') if 'image' in content else (f'{split}_x', f'{split}_y')
    if not set(keys) <= set(content):
        raise ValueError(
            f'{path}: holds the arrays {sorted(content)}; it needs image and label, or '
            'train_x, train_y, test_x and test_y'
        )
    image, label = (content[key] for key in keys)
    image = image[..., None] if image.ndim == 3 else image
    if not (np.issubdtype(label.dtype, np.integer) and label.ndim == 1):
        raise ValueError(f'{path}: {keys[1]} must hold whole numbers, one per image')
    highest = max((int(y.max()) for y in _labels(content) if y.size), default=-1)
    if highest >= UNNAMED and 'classes' not in content:
        raise ValueError(
            f'{path}: label {highest} of {keys[1]} would mean {highest + 1:,} classes: '
            'number the labels from 0, or give their names as the array classes'
        )
    classes = tuple(str(name) for name in content.get('classes', range(highest + 1)))
    if label.min(initial=0) < 0 or highest >= len(classes):
        raise ValueError(
            f'{path}: labels must be 0..{len(classes) - 1} for its {len(classes)} '
            f'classes, not {label.min()}..{highest}'
        )
    try:
        return Arrays(image, label.astype(np.int32), classes)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None


def npz_has_splits(path: str | os.PathLike) -> bool:
    """Whether an .npz file holds a train and a test part."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {'train_x', 'test_x'} <= set(file.files)
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile):
        return False  # from_npz raises the error


def from_folder(
    path: str | os.PathLike,
    *,
    size: int | None = None,
    classes: tuple[str, ...] | None = None,
) -> Arrays:
    """Reads images stored as `<class>/<file>`, decoded to RGB.

    Items are ordered by the SHA-256 digest of their bytes, so that neither the order
    nor anything drawn from it depends on a file's class. With `size` the images are
    resized; without it, they must all have one size. `classes` fixes the label numbers;
    by default they follow the sorted names of the class folders.

    Raises:
      ValueError: a folder without images, or a file that is no image.
    """
    items, names = files_by_class(path, classes)
    return from_files(items, names, path, size=size)


def files_by_class(
    path: str | os.PathLike, classes: Sequence[str] | None = None
) -> tuple[list[tuple[pathlib.Path, int]], tuple[str, ...]]:
    """((file, label) of all images stored as `<class>/<file>`, the class names).

    Raises:
      ValueError: no such folder, a folder without images, or a class not in `classes`.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        raise ValueError(f'{path}: there is no such folder')
    names = tuple(sorted(p.name for p in path.iterdir() if is_class(p)))
    unknown = set(names) - set(names if classes is None else classes)
    if unknown:
        raise ValueError(
            f'{path}: has the classes {sorted(unknown)}; expected only {list(classes)}'
        )
    classes = names if classes is None else tuple(classes)
    items = [
        (file, number)
        for number, name in enumerate(classes)
        if name in names
        for file in image_files(path / name)
    ]
    if not items:
        raise ValueError(
            f'{path}: holds no images; expected <class>/<file> with a file name ending '
            'in ' + ', '.join(SUFFIXES)
        )
    return items, classes


def image_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The image files below a folder, recognised by their suffixes."""
    return [
        file
        for file in sorted(folder.rglob('*'))
        if file.suffix.lower() in SUFFIXES and not file.name.startswith('.')
    ]


def from_files(
    items: Sequence[tuple[pathlib.Path, int]],
    classes: tuple[str, ...],
    path: str | os.PathLike,
    *,
    size: int | None = None,
    zoom: float | None = None,
) -> Arrays:
    """Reads (file, label) pairs, ordered by the SHA-256 digest of their bytes.

    `path` is for error messages; `size` and `zoom` are those of images.decode.
    """

    def read(item):
        content = item[0].read_bytes()
        image = images.decode(content, item[0], size, zoom)
        return hashlib.sha256(content).hexdigest(), image

    with futures.ThreadPoolExecutor() as pool:
        decoded = list(pool.map(read, items))
    shapes = {image.shape for _, image in decoded}
    if len(shapes) > 1:
        raise ValueError(f'{path}: images of several sizes {sorted(shapes)}; pass size')
    order = sorted(range(len(items)), key=lambda i: decoded[i][0])
    return Arrays(
        np.stack([decoded[i][1] for i in order]),
        np.array([items[i][1] for i in order], np.int32),
        classes,
    )


def from_tfds(name: str, split: str, data_dir: str | os.PathLike) -> Arrays:
    """Reads a prepared tensorflow-datasets set without TensorFlow, decoded once.

    Raises:
      ValueError: the set was not prepared with `file_format='array_record'`, or holds
        no labelled images of one size.
    """
    import tensorflow_datasets as tfds  # heavy: only where it is used

    try:
        source = tfds.data_source(name, split=split, data_dir=data_dir)
        classes = tuple(source.dataset_info.features['label'].names)
        items = []
        for first in range(0, len(source), 500):  # blocks take a third of the time
            rows = range(first, min(first + 500, len(source)))
            items.extend(source.__getitems__(rows))
        image = np.stack([item['image'] for item in items])
        label = np.array([item['label'] for item in items], np.int32)
    except (KeyError, ValueError, NotImplementedError, AttributeError) as error:
        raise ValueError(
            f'tfds:{name} (split {split}, in {data_dir}) is not a set of images of one '
            f'size with labels, prepared as array_record: {_first_line(error)}'
        ) from None
    return Arrays(image, label, classes)


def tfds_splits(name: str, data_dir: str | os.PathLike) -> tuple[str, ...]:
    """The names of the splits of a prepared tensorflow-datasets set."""
    import tensorflow_datasets as tfds

    return tuple(tfds.builder(name, data_dir=data_dir).info.splits)


def _labels(content: dict[str, np.ndarray]) -> list[np.ndarray]:
    names = ('label',) if 'image' in content else ('train_y', 'test_y')
    return [content[name] for name in names if name in content]


def is_class(path: pathlib.Path) -> bool:
    """Whether a path is the folder of a class."""
    return path.is_dir() and not path.name.startswith('.')


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
