"""A user's images: listed first, decoded when the size of the network is known."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax import data
from transfer_jax.adapt import nesting
from transfer_jax.data import checks, folders, image_files, images, listings, npz
from transfer_jax.runs import provenance
from transfer_jax.training import log

LISTED_SIZE = 32  # of a domain that must be read to be counted
SHORTEST = 100  # files from which reading shows its progress


class Options(NamedTuple):
    """How files are read."""

    skip_unreadable: bool = False
    large_images: bool = False
    data_dir: str | None = None  # of named domains and TFDS


class Decoded(NamedTuple):
    """Images (n, size, size, 3) uint8, their names, and labels (n,) or None."""

    image: np.ndarray
    names: tuple[str, ...]
    label: np.ndarray | None = None


class Pictures(NamedTuple):
    """Images of one domain, not decoded yet."""

    name: str  # of the folder or file, without the folders above
    count: int
    classes: tuple[str, ...]  # () without labels
    label: np.ndarray  # (count,), or empty
    files: tuple[pathlib.Path, ...]  # () if they are not files
    left_out: str  # a line, or ''
    decode: Callable[[int], Decoded]  # of the side in pixels


def labelled(
    spec: str, options: Options, classes: Sequence[str] | None = None
) -> Pictures:
    """Images with labels: a folder of class folders, a CSV, .npz, or a domain's name.

    Args:
      spec: `<class>/<file>` below a folder; a .csv with the columns file,label; an .npz
        with image and label; tfds:NAME; or a name of `experiments.data list`.
      classes: numbers the labels; images of other classes are left out, and said.

    Raises:
      ValueError: nothing there, or no labels; the message says what is expected.
    """
    path = pathlib.Path(spec).expanduser()
    if path.is_dir():
        path, found = nesting.unwrapped(path)
    elif path.suffix.lower() == '.csv':
        found = folders.from_csv(path)
    else:
        return _of_domain(spec, options, classes)
    left_out = '; '.join(
        filter(None, (listings.line(path, found.left_out), nesting.note(path, found)))
    )
    items, names = found.items, found.classes
    if classes is not None:
        items, left_out = _known(items, names, classes, path, left_out)
        names = tuple(classes)
    files = tuple(file for file, _ in items)
    label = np.array([number for _, number in items], np.int32)

    def decode(size):
        read = image_files.decode_all(
            files,
            path if path.is_dir() else path.parent,
            size=size,
            by_digest=True,
            skip_unreadable=options.skip_unreadable,
            large_images=options.large_images,
            progress=_progress(_plain(spec), len(files)),
        )
        rows = read.rows
        return Decoded(read.image, _names(files, rows), label[rows])

    return Pictures(
        _plain(spec), len(files), tuple(names), label, files, left_out, decode
    )


def unlabelled(spec: str, options: Options) -> Pictures:
    """Images without labels: any folder, nested or flat, .npz, or a domain's name.

    Labels are not needed, and not read where there are any.

    Raises:
      ValueError: nothing there, or no images.
    """
    path = pathlib.Path(spec).expanduser()
    if not path.is_dir():
        return _without_labels(spec, path, options)
    listing = folders.unlabelled(path)
    files = listing.files

    def decode(size):
        read = image_files.decode_all(
            files,
            path,
            size=size,
            skip_unreadable=options.skip_unreadable,
            large_images=options.large_images,
            progress=_progress(_plain(spec), len(files)),
        )
        return Decoded(read.image, _names(files, read.rows))

    left_out = listings.line(path, listing.left_out)
    none = np.zeros(0, np.int32)
    return Pictures(_plain(spec), len(files), (), none, files, left_out, decode)


def count(pictures) -> int:
    """Images of an array, a folder, or a sequence of files."""
    if isinstance(pictures, np.ndarray):
        return len(pictures)
    return len(_files(pictures))


def read(pictures, size: int) -> np.ndarray:
    """(n, size, size, 3) uint8 of an array, a folder, or a sequence of files.

    Raises:
      ValueError: no images, or of another form.
    """
    if isinstance(pictures, np.ndarray):
        checks.check_images(pictures)
        return images.conform(pictures, size, 3)
    files = _files(pictures)
    return image_files.images_from_files(files, size=size).image


def described(parts: Mapping[str, Decoded]) -> str:
    """'800 + 1,200 images 1a2b': the numbers of images, and a digest of the data."""
    arrays = {
        name: [part.image, *([] if part.label is None else [part.label])]
        for name, part in sorted(parts.items())
    }
    numbers = f'{len(parts["source"].image):,} + {len(parts["target"].image):,}'
    return f'{numbers} images {provenance.digest(arrays)}'


def _files(pictures) -> Sequence[pathlib.Path]:
    if isinstance(pictures, str | pathlib.Path):
        path = pathlib.Path(pictures).expanduser()
        return folders.unlabelled(path).files if path.is_dir() else (path,)
    return [pathlib.Path(path).expanduser() for path in pictures]


def _known(items, names, classes, path, left_out):
    """The items of known classes, and the line with those that are not."""
    number = {name: i for i, name in enumerate(classes)}
    known = [(f, number[names[i]]) for f, i in items if names[i] in number]
    others = [name for name in names if name not in number]
    if not known:
        raise ValueError(
            f'{path}: has none of the classes of the source '
            f'({listings.few(classes)}); it has {listings.few(names)}'
        )
    if others:
        text = f'{len(items) - len(known)} images of {listings.few(others)}'
        left_out = f'{left_out}; ' if left_out else f'left out of {path}: '
        left_out += f'{text}, classes that the source does not have'
    return known, left_out


LABELLED = (
    'a folder with a folder for each class, a .csv with the columns file,label, an '
    '.npz, or tfds:NAME'
)
UNLABELLED = 'a folder of images, an .npz, or tfds:NAME'


def _domain(
    spec: str, options: Options, size: int, expected: str = LABELLED
) -> data.Arrays:
    """All images of a domain that is no folder: .npz, TFDS, or one of data.load."""
    known = spec in data.domains.NAMED or spec.startswith('tfds:')
    if not known and not spec.lower().endswith('.npz'):
        there = pathlib.Path(spec).expanduser().exists()
        wrong = 'is no folder' if there else 'there is no such folder'
        raise ValueError(f'{spec}: {wrong}; give {expected}')
    prefix = '' if known else 'npz:'
    domain = data.load(f'{prefix}{spec}', size=size, data_dir=options.data_dir)
    parts = domain.train, domain.test
    return data.Arrays(
        np.concatenate([part.image for part in parts]),
        np.concatenate([part.label for part in parts]),
        domain.classes,
    )


def _of_domain(
    spec: str, options: Options, classes, expected: str = LABELLED
) -> Pictures:
    small = _domain(spec, options, LISTED_SIZE, expected)
    label, names, left_out = small.label, small.classes, ''
    rows = np.arange(len(label))
    if classes is not None:
        items = list(zip(rows, label, strict=True))
        known, left_out = _known(items, names, classes, spec, '')
        rows = np.array([row for row, _ in known])
        label = np.array([number for _, number in known], np.int32)
        names = tuple(classes)

    def decode(size):
        image = _domain(spec, options, size).image[rows]
        return Decoded(image, tuple(map(str, rows)), label)

    return Pictures(_plain(spec), len(rows), names, label, (), left_out, decode)


def _without_labels(spec: str, path: pathlib.Path, options: Options) -> Pictures:
    """Images of an .npz, which may have no labels, or of a named domain."""
    image = npz.images_of(path) if path.suffix.lower() == '.npz' else None
    if image is None:
        found = _of_domain(spec, options, None, UNLABELLED)
        none = np.zeros(0, np.int32)

        def decode_domain(size):
            return found.decode(size)._replace(label=None)

        return found._replace(classes=(), label=none, decode=decode_domain)

    def decode(size):
        return Decoded(images.conform(image, size, 3), names)

    names = tuple(map(str, range(len(image))))
    none = np.zeros(0, np.int32)
    return Pictures(path.name, len(image), (), none, (), '', decode)


def _names(files, rows) -> tuple[str, ...]:
    return tuple(str(files[i]) for i in rows)


def _plain(spec: str) -> str:
    """The name of a domain or file, without the folders above."""
    path = pathlib.Path(spec.removeprefix('tfds:')).expanduser()
    return path.resolve().name if path.exists() else path.name


def _progress(what: str, total: int):
    if total < SHORTEST:
        return None
    progress = log.Progress(f'{what}: decoding', total)

    def update(done: int) -> None:
        progress.update(done, {})
        if done >= total:
            progress.close()

    return update
