"""The USPS digits, stored as thousandths of the publisher's scale -1..1."""

import gzip
import pathlib

import numpy as np

from transfer_jax.data import files, images
from transfer_jax.data.sources import Arrays, Domain

CLASSES = tuple(str(digit) for digit in range(10))


def usps(size: int, dirs: tuple[pathlib.Path, ...]) -> Domain:
    """Grey digits (n, size, size, 1), resized from 16x16: 7,291 train, 2,007 test."""
    path = files.locate('usps', dirs)[0]
    parts = []
    with np.load(path, allow_pickle=False) as file:
        for split in ('train', 'test'):
            milli = file[f'{split}_x_milli'].astype(np.float32)
            image = np.rint((milli + 1000) * (255 / 2000)).astype(np.uint8)[..., None]
            label = file[f'{split}_y'].astype(np.int32)
            parts.append(Arrays(images.resize(image, size), label, CLASSES))
    return Domain('usps', CLASSES, *parts)


def convert(folder: pathlib.Path, path: pathlib.Path) -> None:
    """Writes the .npz from the publisher's zip.train.gz and zip.test.gz in `folder`.

    Each line holds the digit and 256 values from -1 (paper) to 1 (ink).
    """
    content = {}
    for split in ('train', 'test'):
        source = folder / f'zip.{split}.gz'
        try:
            with gzip.open(source, 'rt') as file:
                table = np.loadtxt(file, ndmin=2)
        except (OSError, EOFError, ValueError) as error:
            raise ValueError(f'{source}: cannot be read ({error})') from None
        if table.shape[1] != 257:
            raise ValueError(f'{source}: lines of {table.shape[1]} numbers, not 257')
        milli = np.rint(table[:, 1:] * 1000).astype(np.int16)
        content[f'{split}_x_milli'] = milli.reshape(-1, 16, 16)
        content[f'{split}_y'] = table[:, 0].astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **content)
