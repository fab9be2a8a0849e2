"""The Street View House Numbers, read from TFDS `svhn_cropped`."""

import pathlib

from transfer_jax.data import files, images, sources
from transfer_jax.data.sources import Arrays, Domain

CLASSES = tuple(str(digit) for digit in range(10))


def svhn(size: int, dirs: tuple[pathlib.Path, ...]) -> Domain:
    """Colour digits (n, size, size, 3): 73,257 train and 26,032 test, from 32x32.

    TFDS labels the digit 0 as 0; the publisher's files label it 10.
    """
    folder = files.locate('svhn', dirs)[-1].parents[2]
    parts = []
    for split in ('train', 'test'):
        raw = sources.from_tfds('svhn_cropped', split, folder)
        parts.append(Arrays(images.resize(raw.image, size), raw.label, CLASSES))
    return Domain('svhn', CLASSES, *parts)
