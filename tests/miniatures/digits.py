"""Digits with a few images, in the layouts of their authors.

Each function writes one set below a data folder `root`.
"""

import gzip
import pathlib
import struct

import numpy as np
import scipy.io
from PIL import Image

COUNTS = {'train': 80, 'test': 40}


def mnist_m_original(root: pathlib.Path) -> None:
    """mnist_m: PNGs of 32x32 and the list of their labels."""
    folder = root / 'mnist_m'
    for part, count in COUNTS.items():
        (folder / f'mnist_m_{part}').mkdir(parents=True)
        image, label = _digits(part, count)
        rows = []
        for i in range(count):
            name = f'{i:08d}.png'
            Image.fromarray(image[i]).save(folder / f'mnist_m_{part}' / name)
            rows.append(f'{name} {label[i]}')
        (folder / f'mnist_m_{part}_labels.txt').write_text('\n'.join(rows) + '\n')


def syn_numbers(root: pathlib.Path) -> None:
    """SynthDigits: two .mat files with X (32, 32, 3, n) and y (n, 1)."""
    folder = root / 'SynthDigits'
    folder.mkdir()
    for part, count in COUNTS.items():
        image, label = _digits(part, count)
        content = {'X': image.transpose(1, 2, 3, 0), 'y': label[:, None]}
        scipy.io.savemat(folder / f'synth_{part}_32x32.mat', content)


def mnist(root: pathlib.Path) -> None:
    """The four idx files, of 28x28."""
    folder = root / 'mnist'
    folder.mkdir()
    for part, name in (('train', 'train'), ('test', 't10k')):
        image, label = _digits(part, COUNTS[part])
        grey = np.ascontiguousarray(image[:, 2:30, 2:30, 0])
        for kind, array in (('images-idx3', grey), ('labels-idx1', label)):
            head = struct.pack('>xxBB', 8, array.ndim)
            head += struct.pack(f'>{array.ndim}I', *array.shape)
            content = gzip.compress(head + array.tobytes())
            (folder / f'{name}-{kind}-ubyte.gz').write_bytes(content)


def _digits(part: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 32, 32, 3) and (n,) uint8: a bar whose place is the digit, with noise."""
    rng = np.random.default_rng(len(part))
    image = rng.integers(0, 100, (count, 32, 32, 3), dtype=np.uint8)
    label = (np.arange(count) % 10).astype(np.uint8)
    for i in range(count):
        image[i, 4 + 2 * label[i] : 8 + 2 * label[i], 6:26] = 230
    return image, label
