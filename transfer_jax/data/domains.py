"""Domains by name, or from a user's folder, .npz file or tensorflow-datasets name."""

import difflib
import functools
import os
import pathlib
from collections.abc import Callable
from typing import NamedTuple

from transfer_jax.data import (
    digits,
    fake,
    files,
    images,
    listed,
    mnist,
    original_digits,
    own,
    photos,
    published,
    signs,
    svhn,
    syn_digits,
    usps,
)
from transfer_jax.data.sources import Arrays, Domain

MissingData = files.MissingData
data_dirs = files.data_dirs

Dirs = tuple[pathlib.Path, ...]


class NamedDomain(NamedTuple):
    """A built-in domain and the data sets it needs."""

    description: str
    counts: str
    size: int  # usual side of its images
    build: Callable[[int, Dirs], Domain]
    data_sets: tuple[str, ...] = ()  # names in files.KNOWN


def _embedded(build: Callable[[int], Domain]) -> Callable[[int, Dirs], Domain]:
    return lambda size, dirs: build(size)


def _published(name: str) -> Callable[[int, Dirs], Domain]:
    return lambda size, dirs: listed.decode(published.load(name, dirs), size)


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
    'mnist_m_original': NamedDomain(
        'MNIST-M, the files of its authors',
        '59,001 / 9,001',
        28,
        original_digits.mnist_m_original,
        ('mnist_m_original',),
    ),
    'usps': NamedDomain('zip code digits', '7,291 / 2,007', 28, usps.usps, ('usps',)),
    'svhn': NamedDomain(
        'house numbers, cropped', '73,257 / 26,032', 32, svhn.svhn, ('svhn',)
    ),
    'syn_digits': NamedDomain(
        'rendered numbers, generated', '20,000 / 2,000', 32, syn_digits.syn_digits
    ),
    'syn_numbers': NamedDomain(
        'rendered numbers, the files of their authors',
        '10 classes',
        32,
        original_digits.syn_numbers,
        ('syn_numbers',),
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
    **{
        name: NamedDomain(
            entry.description,
            f'{entry.classes:,} classes',
            published.SIZE,
            _published(name),
            (name,),
        )
        for name, entry in published.SETS.items()
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


# Sets whose photographs are cropped to the central square; see `zoom`.
CROPPED = {
    **dict.fromkeys(
        ('caltech101', 'caltech256', 'flowers102', 'cub200', 'mit67', 'scene15'), 1.0
    ),
    **dict.fromkeys(('imagenet', 'imagenet_samples'), photos.IMAGENET_ZOOM),
}


class Description(NamedTuple):
    """A line of the list of domains; `folders` is '' for those that need no files.

    A set that is no domain has neither counts nor a size.
    """

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
    skip_unreadable: bool = False,
    large_images: bool = False,
) -> Domain:
    """The domain `spec`, with images (n, size, size, channels) uint8, in memory.

    `spec` is a named domain, or `folder:PATH` (one folder of classes, or its splits,
    see folders.parts), `npz:PATH` or `tfds:NAME`; it is named by the last part of the
    path. Data without a train and a test part are cut 80 to 20: a folder in the order
    of its files' digests, others by a fixed permutation, both independent of the
    labels. The arrays are read-only, because the last few loads are cached.

    Args:
      skip_unreadable, large_images: of a folder, as in image_files.decode_all.

    Raises:
      ValueError: an unknown name, data that cannot be read, or a published set larger
        than listed.LARGEST (lazy.load reads it); one line.
      MissingData: the data are not in the data folder.
    """
    if size < 1 or channels not in (1, 3):
        raise ValueError(f'size {size} and channels {channels}: need size >= 1, 1 or 3')
    kind, _, rest = spec.partition(':')
    if spec not in NAMED and not (kind in own.KINDS and rest):
        near = difflib.get_close_matches(spec, NAMED, n=1)
        raise ValueError(
            f'unknown domain {spec!r}'
            + (f' (did you mean {near[0]}?)' if near else '')
            + f'; choose from {", ".join(NAMED)}, folder:PATH, npz:PATH, tfds:NAME'
        )
    options = {}
    if kind == 'folder':
        options = {'skip_unreadable': skip_unreadable, 'large_images': large_images}
    try:
        state = own.state(kind, rest)
        return _load(spec, size, channels, data_dirs(data_dir), state, **options)
    except OSError as error:
        where = error.filename or spec
        raise ValueError(
            f'{where}: cannot be read ({error.strerror or error})'
        ) from None


def zoom(spec: str) -> float | None:
    """How `load` makes a photograph square: the zoom of images.decode.

    None stretches, as for folders and for the domains of adaptation.
    """
    return CROPPED.get(spec)


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


def describe_others(data_dir: str | os.PathLike | None = None) -> list[Description]:
    """The known sets that are no domains: boxes, classes of pixels, queries."""
    dirs = data_dirs(data_dir)
    needed = {*NAMED, *(n for entry in NAMED.values() for n in entry.data_sets)}
    return [
        Description(
            name, one.description, '', 0, files.folder(name), files.present(name, dirs)
        )
        for name, one in files.KNOWN.items()
        if name not in needed
    ]


@functools.lru_cache(maxsize=4)
def _load(
    spec: str, size: int, channels: int, dirs: Dirs, state: tuple, **options: bool
) -> Domain:
    del state  # only part of the cache key, so that changed files are read again
    if spec in NAMED:
        for needed in NAMED[spec].data_sets:
            files.locate(needed, dirs)
        domain = NAMED[spec].build(size, dirs)._replace(name=spec)
    else:
        kind, _, rest = spec.partition(':')
        domain = own.KINDS[kind](rest, size, dirs, **options)
    classes = domain.classes
    parts = []
    for split, part in (('train', domain.train), ('test', domain.test)):
        if not len(part):
            raise ValueError(f'{spec}: its {split} part is empty')
        image = images.conform(part.image, size, channels)
        label = part.label.copy()
        image.flags.writeable = label.flags.writeable = False
        parts.append(Arrays(image, label, classes))
    return Domain(domain.name, classes, *parts)
