"""Domains by name, or from a user's folder, .npz file or tensorflow-datasets name."""

import difflib
import functools
import os
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from transfer_jax.data import (
    digits,
    fake,
    files,
    images,
    mnist,
    photos,
    signs,
    sources,
    svhn,
    syn_digits,
    usps,
)
from transfer_jax.data.sources import Arrays, Domain

MissingData = files.MissingData
data_dirs = files.data_dirs

Dirs = tuple[pathlib.Path, ...]
SPLIT_SEED = 0
TRAIN_SHARE = 0.8  # of data without a train and a test part


class NamedDomain(NamedTuple):
    """A built-in domain and the data sets it needs."""

    description: str
    counts: str
    size: int  # usual side of its images
    build: Callable[[int, Dirs], Domain]
    data_sets: tuple[str, ...] = ()  # names in files.KNOWN


def _embedded(build: Callable[[int], Domain]) -> Callable[[int, Dirs], Domain]:
    return lambda size, dirs: build(size)


NAMED = {
    'digits': NamedDomain(
        'handwritten digits of scikit-learn',
        '800 / 100',
        28,
        _embedded(digits.digits),
    ),
    'digits_m': NamedDomain(
        'other digits of scikit-learn, blended with photographs',
        '600 / 1,188',
        28,
        _embedded(digits.digits_m),
    ),
    'mnist': NamedDomain(
        'handwritten digits', '60,000 / 10,000', 28, mnist.mnist, ('mnist',)
    ),
    'mnist_m': NamedDomain(
        'MNIST blended with BSDS500 photographs',
        '60,000 / 10,000',
        28,
        mnist.mnist_m,
        ('mnist', 'bsds500'),
    ),
    'usps': NamedDomain('zip code digits', '7,291 / 2,007', 28, usps.usps, ('usps',)),
    'svhn': NamedDomain(
        'house numbers, cropped', '73,257 / 26,032', 32, svhn.svhn, ('svhn',)
    ),
    'syn_digits': NamedDomain(
        'rendered numbers, generated', '20,000 / 2,000', 32, syn_digits.syn_digits
    ),
    'gtsrb': NamedDomain(
        'photographed traffic signs', '43 classes', 40, signs.gtsrb, ('gtsrb',)
    ),
    'syn_signs': NamedDomain(
        'rendered traffic signs', '43 classes', 40, signs.syn_signs, ('syn_signs',)
    ),
    'caltech101': NamedDomain(
        'photographs of objects', '30 / class', 128, photos.caltech101, ('caltech101',)
    ),
    **{
        f'office_{name}': NamedDomain(
            description, counts, 128, photos.office(name), ('office_caltech10',)
        )
        for name, description, counts in (
            ('amazon', 'objects of a shop, on white', '766 / 192'),
            ('caltech10', 'objects of Caltech-256', '898 / 225'),
            ('dslr', 'objects in an office', '126 / 31'),
            ('webcam', 'the same by a webcam', '236 / 59'),
        )
    },
    **{
        f'pacs_{name}': NamedDomain(
            description, '7 classes', 128, photos.pacs(name), ('pacs',)
        )
        for name, description in (
            ('photo', 'photographs'),
            ('art_painting', 'paintings'),
            ('cartoon', 'cartoons'),
            ('sketch', 'sketches'),
        )
    },
    'coil100': NamedDomain(
        'objects on a turntable', 'half / half', 128, photos.coil100, ('coil100',)
    ),
    'imagenet_samples': NamedDomain(
        'to check weights on',
        'a few classes',
        224,
        photos.imagenet_samples,
        ('imagenet_samples',),
    ),
    'cifar10_test': NamedDomain(
        'to check weights on', 'a part', 32, photos.cifar10_test, ('cifar10_test',)
    ),
    'fake': NamedDomain('a blob, for tests', '256 / 64', 28, _embedded(fake.fake)),
    'fake_shifted': NamedDomain(
        'a red blob on blue, for tests', '256 / 64', 28, _embedded(fake.fake_shifted)
    ),
}


class Description(NamedTuple):
    """A line of the list of domains; `folders` is '' for those that need no files."""

    name: str
    description: str
    counts: str
    size: int
    folders: str
    present: bool


def load(
    spec: str,
    *,
    size: int,
    data_dir: str | os.PathLike | None = None,
    channels: int = 3,
) -> Domain:
    """The domain `spec`, with images (n, size, size, channels) uint8.

    `spec` is a named domain, or `folder:PATH` (PATH/train and PATH/test, or one folder
    of classes), `npz:PATH` or `tfds:NAME`. Data without a train and a test part are cut
    80 to 20: a folder in the order of its files' digests, others by a fixed
    permutation, both independent of the labels. The arrays are read-only, because the
    last few loads are cached.

    Raises:
      ValueError: an unknown name, or data that cannot be read.
      MissingData: the data are not in the data folder.
    """
    if size < 1 or channels not in (1, 3):
        raise ValueError(f'size {size} and channels {channels}: need size >= 1, 1 or 3')
    kind, _, rest = spec.partition(':')
    if spec not in NAMED and not (kind in _KINDS and rest):
        near = difflib.get_close_matches(spec, NAMED, n=1)
        raise ValueError(
            f'unknown domain {spec!r}'
            + (f' (did you mean {near[0]}?)' if near else '')
            + f'; choose from {", ".join(NAMED)}, folder:PATH, npz:PATH, tfds:NAME'
        )
    return _load(spec, size, channels, data_dirs(data_dir), _state(kind, rest))


def describe(data_dir: str | os.PathLike | None = None) -> list[Description]:
    """All named domains, their folders under the data folder, and which are present."""
    dirs = data_dirs(data_dir)
    return [
        Description(
            name,
            entry.description,
            entry.counts,
            entry.size,
            ', '.join(files.folder(needed) for needed in entry.data_sets),
            all(files.find(needed, dirs) for needed in entry.data_sets),
        )
        for name, entry in NAMED.items()
    ]


@functools.lru_cache(maxsize=4)
def _load(spec: str, size: int, channels: int, dirs: Dirs, state: tuple) -> Domain:
    del state  # only part of the cache key, so that changed files are read again
    if spec in NAMED:
        for needed in NAMED[spec].data_sets:
            files.locate(needed, dirs)
        domain = NAMED[spec].build(size, dirs)
    else:
        kind, _, rest = spec.partition(':')
        domain = _KINDS[kind](rest, size, dirs)
    classes = domain.classes
    parts = []
    for split, part in (('train', domain.train), ('test', domain.test)):
        if not len(part):
            raise ValueError(f'{spec}: its {split} part is empty')
        image = images.conform(part.image, size, channels)
        label = part.label.copy()
        image.flags.writeable = label.flags.writeable = False
        parts.append(Arrays(image, label, classes))
    return Domain(spec, classes, *parts)


def _from_folder(path: str, size: int, dirs: Dirs) -> Domain:
    folder = pathlib.Path(path).expanduser()
    train, test = folder / 'train', folder / 'test'
    if train.is_dir() and test.is_dir():
        first = sources.from_folder(train, size=size)
        second = sources.from_folder(test, size=size, classes=first.classes)
        return Domain(path, first.classes, first, second)
    whole = sources.from_folder(folder, size=size)
    return _cut(path, whole, np.arange(len(whole)))


def _from_npz(path: str, size: int, dirs: Dirs) -> Domain:
    file = pathlib.Path(path).expanduser()
    train = sources.from_npz(file, 'train')
    if sources.npz_has_splits(file):
        return Domain(path, train.classes, train, sources.from_npz(file, 'test'))
    return _cut(path, train, _permutation(len(train)))


def _from_tfds(name: str, size: int, dirs: Dirs) -> Domain:
    folder = next(
        (d for d in dirs if (d / name.split('/')[0].split(':')[0]).is_dir()), None
    )
    if folder is None:
        raise MissingData(
            f'tfds:{name} is missing: no folder {name} under '
            f'{", ".join(str(d) for d in dirs)}.\n'
            f'  Prepare it: python -m experiments.data prepare tfds:{name}'
        )
    train = sources.from_tfds(name, 'train', folder)
    if 'test' not in sources.tfds_splits(name, folder):
        return _cut(name, train, _permutation(len(train)))
    test = sources.from_tfds(name, 'test', folder)
    return Domain(name, train.classes, train, test)


_KINDS = {'folder': _from_folder, 'npz': _from_npz, 'tfds': _from_tfds}


def _permutation(size: int) -> np.ndarray:
    return np.random.default_rng(SPLIT_SEED).permutation(size)


def _cut(name: str, whole: Arrays, order: np.ndarray) -> Domain:
    """The first 80 % of `order` become train, the rest test."""
    if len(whole) < 2:
        raise ValueError(
            f'{name}: {len(whole)} images cannot be cut into train and test'
        )
    first = min(len(whole) - 1, max(1, round(TRAIN_SHARE * len(whole))))
    return Domain(
        name, whole.classes, whole.take(order[:first]), whole.take(order[first:])
    )


def _state(kind: str, path: str) -> tuple:
    """A value that changes whenever the user's files do."""
    if kind not in ('folder', 'npz'):
        return ()
    root = pathlib.Path(path).expanduser()
    paths = sorted(root.rglob('*')) if root.is_dir() else [root]
    stats = [(str(p), p.stat()) for p in paths if p.is_file()]
    return tuple((p, s.st_mtime_ns, s.st_size) for p, s in stats)
