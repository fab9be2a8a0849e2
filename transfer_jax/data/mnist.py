"""MNIST, from its four idx files or from TFDS, and MNIST-M, which is made from it."""

import gzip
import pathlib
import struct

import numpy as np

from transfer_jax.data import files, images, sources, transforms
from transfer_jax.data.sources import Arrays, Domain

CLASSES = tuple(str(digit) for digit in range(10))


def mnist(size: int, dirs: tuple[pathlib.Path, ...]) -> Domain:
    """Grey digits (n, size, size, 1): 60,000 train and 10,000 test.

    28 is the original size; 32 adds a border of zeros; other sizes are resized.
    """
    parts = []
    for raw in _read(dirs):
        image = images.pad(raw.image, 2) if size == 32 else raw.image
        parts.append(Arrays(images.resize(image, size), raw.label, CLASSES))
    return Domain('mnist', CLASSES, *parts)


def mnist_m(size: int, dirs: tuple[pathlib.Path, ...]) -> Domain:
    """MNIST-M (Ganin and Lempitsky, ICML 2015, section 4.1), (n, size, size, 3).

    Each digit is padded to 32x32 and becomes |crop - digit|, with a crop of a BSDS500
    training photograph drawn by a generator seeded with (split, index). Size 32 is this
    image, 28 its central part; other sizes are resized from 32. The authors publish no
    list of crops, so this follows their recipe but does not give their exact images.
    """
    blend = transforms.blend(photos(dirs))
    parts = []
    for split, raw in enumerate(_read(dirs)):
        digits = images.pad(raw.image, 2)
        blended = np.empty((*digits.shape[:3], 3), np.uint8)
        for index, digit in enumerate(digits):
            rng = np.random.default_rng([split, index])
            blended[index] = blend({'image': digit}, rng)['image']
        if size == 28:
            blended = np.ascontiguousarray(blended[:, 2:30, 2:30])
        parts.append(Arrays(images.resize(blended, size), raw.label, CLASSES))
    return Domain('mnist_m', CLASSES, *parts)


def photos(dirs: tuple[pathlib.Path, ...]) -> list[np.ndarray]:
    """The BSDS500 training photographs (h, w, 3), ordered by file name."""
    paths = files.locate('bsds500', dirs)
    return [images.decode(path.read_bytes(), path, None) for path in paths]


def _read(dirs: tuple[pathlib.Path, ...]) -> tuple[Arrays, Arrays]:
    """Train and test (n, 28, 28, 1)."""
    paths = files.locate('mnist', dirs)
    if len(paths) == 4:
        train_x, train_y, test_x, test_y = (_read_idx(path) for path in paths)
        return (
            Arrays(train_x[..., None], train_y.astype(np.int32), CLASSES),
            Arrays(test_x[..., None], test_y.astype(np.int32), CLASSES),
        )
    folder = paths[-1].parents[2]
    return tuple(sources.from_tfds('mnist', s, folder) for s in ('train', 'test'))


def _read_idx(path: pathlib.Path) -> np.ndarray:
    """Reads an idx file: two zero bytes, type (8: uint8), rank, sizes, values."""
    try:
        content = gzip.decompress(path.read_bytes())
        kind, rank = struct.unpack('>xxBB', content[:4])
        shape = struct.unpack(f'>{rank}I', content[4 : 4 + 4 * rank])
        if kind != 8:
            raise ValueError(f'values of type {kind}')
        return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise ValueError(f'{path}: not an idx file of uint8 values ({error})') from None
