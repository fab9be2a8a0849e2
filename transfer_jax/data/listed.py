"""What a published set lists: files, labels and a split, none of them decoded.

Readers of published sets (data/published/) return a `Listed`. `decode` reads it into
memory, and lazy.py reads its files as they are needed.
"""

import fnmatch
import hashlib
import os
import pathlib
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import NamedTuple

from transfer_jax.data import image_files, images, listings
from transfer_jax.data.sources import Domain

Items = tuple[tuple[pathlib.Path, int], ...]
Progress = Callable[[int], None]

LARGEST = 32 * 10**9  # bytes of decoded images that `decode` makes
TRAIN_SHARE = 0.8  # of a set without a published split
CHUNK = 1000  # files between two calls of a progress


class Listed(NamedTuple):
    """The (file, label) pairs of a set; label i means `classes[i]`."""

    name: str
    classes: tuple[str, ...]
    train: Items
    test: Items | None  # None: the publisher has no split, and `train` is everything
    root: pathlib.Path  # for messages
    zoom: float | None = 1.0  # as in images.decode


def decode(listed: Listed, size: int) -> Domain:
    """Both parts in memory (n, size, size, 3), each ordered by its files' digests.

    Raises:
      ValueError: the images would take more than LARGEST bytes, or cannot be read.
    """
    count = len(listed.train) + len(listed.test)
    needed = count * size**2 * 3
    if needed > LARGEST:
        raise ValueError(
            f'{listed.name}: {count:,} images of {size} x {size} pixels are '
            f'{needed / 1e9:,.0f} GB, more than the {LARGEST / 1e9:,.0f} GB that are '
            'read into memory: take a smaller size, or data.lazy.load, which decodes '
            'images when they are needed'
        )
    parts = [
        image_files.from_files(
            part, listed.classes, listed.root, size=size, zoom=listed.zoom
        )
        for part in (listed.train, listed.test)
    ]
    return Domain(listed.name, listed.classes, *parts)


def checked(listed: Listed) -> Listed:
    """The same, if both parts have images and share none.

    Raises:
      ValueError: an empty part, or a file in both.
    """
    for split, part in (('train', listed.train), ('test', listed.test)):
        if not part:
            raise ValueError(f'{listed.root}: its {split} part is empty')
    both = {file for file, _ in listed.train} & {file for file, _ in listed.test}
    if both:
        raise ValueError(
            f'{listed.root}: {len(both)} images are in both parts, such as '
            f'{min(both).relative_to(listed.root)}'
        )
    return listed


def by_digest(items: Items, progress: Progress | None = None) -> Items:
    """The items in the order of the SHA-256 digests of their files' bytes.

    Every file is read once; none is decoded. The order does not depend on labels or
    names. `progress` is called with the number of files read so far.
    """

    def digest(item):
        return hashlib.sha256(image_files.read_bytes(item[0])).digest()

    digests: list[bytes] = []
    with futures.ThreadPoolExecutor(image_files.THREADS) as pool:
        for value in pool.map(digest, items):
            digests.append(value)
            if progress and (len(digests) % CHUNK == 0 or len(digests) == len(items)):
                progress(len(digests))
    order = sorted(range(len(items)), key=digests.__getitem__)
    return tuple(items[i] for i in order)


def cut(listed: Listed, progress: Progress | None = None) -> Listed:
    """The first four fifths by digest become train, the others test."""
    ordered = by_digest(listed.train, progress)
    first = round(TRAIN_SHARE * len(ordered))
    return listed._replace(train=ordered[:first], test=ordered[first:])


def per_class(count: int) -> Callable[[Listed, Progress | None], Listed]:
    """A draw: the first `count` images of each class by digest become train.

    The draw raises ValueError if a class has no image left for the test.
    """

    def draw(listed: Listed, progress: Progress | None = None) -> Listed:
        seen = [0] * len(listed.classes)
        train, test = [], []
        for item in by_digest(listed.train, progress):
            seen[item[1]] += 1
            (train if seen[item[1]] <= count else test).append(item)
        for name, images_of in zip(listed.classes, seen, strict=True):
            if images_of <= count:
                raise ValueError(
                    f'{listed.root}: class {name} has {images_of} images; {count} of '
                    'each class are for training, and the others for the test'
                )
        return listed._replace(train=tuple(train), test=tuple(test))

    return draw


def by_folder(
    root: pathlib.Path, classes: Sequence[str] | None = None, pattern: str = '*'
) -> tuple[tuple[str, ...], Items]:
    """(classes, items) of images `<class>/<file>`, one folder deep.

    Classes are numbered by the sorted names of their folders, or as in `classes`, which
    may have more. Files must match `pattern` and have the ending of an image.

    Raises:
      ValueError: no images, or a folder that is not in `classes`.
    """
    folders = sorted(path for path in root.iterdir() if listings.is_class(path))
    found = {path.name: _images_in(path, pattern) for path in folders}
    names = tuple(name for name, files in found.items() if files)
    if not names:
        raise ValueError(f'{root}: holds no images {pattern} in folders of classes')
    if classes is not None:
        unknown = [name for name in names if name not in set(classes)]
        if unknown:
            raise ValueError(
                f'{root}: the folders {listings.few(unknown)} are none of the '
                f'{len(classes)} classes'
            )
        names = tuple(classes)
    items = tuple((f, i) for i, name in enumerate(names) for f in found.get(name, ()))
    return names, items


def _images_in(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    endings = images.suffixes()
    names = [  # as text: to compare a million paths takes seconds
        name
        for name in fnmatch.filter(os.listdir(folder), pattern)
        if os.path.splitext(name)[1].lower() in endings and not name.startswith('.')
    ]
    return [folder / name for name in sorted(names)]
