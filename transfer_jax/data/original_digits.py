"""MNIST-M and SYN NUMBERS as Ganin and Lempitsky (ICML 2015) publish them.

`mnist_m` (mnist.py) and `syn_digits` follow their descriptions; these are their files.
"""

import pathlib

import numpy as np

from transfer_jax.data import files, images, listed, lists
from transfer_jax.data.listed import Items, Listed
from transfer_jax.data.sources import Arrays, Domain

Dirs = tuple[pathlib.Path, ...]

CLASSES = tuple(str(digit) for digit in range(10))


def mnist_m_original(size: int, dirs: Dirs) -> Domain:
    """MNIST-M (n, size, size, 3): 59,001 train and 9,001 test, from 32x32.

    mnist_m_train_labels.txt has lines '00000000.png 5', the digit itself; the images
    lie in mnist_m_train. Size 32 is the image, 28 its central part as for `mnist_m`;
    other sizes are resized from 32.
    """
    root = files.locate('mnist_m_original', dirs)[0].parent
    parts = [_listed_digits(root, split) for split in ('train', 'test')]
    zoom = 32 / 28 if size == 28 else None
    whole = Listed('mnist_m_original', CLASSES, *parts, root, zoom)
    return listed.decode(listed.checked(whole), size)


def syn_numbers(size: int, dirs: Dirs) -> Domain:
    """SYN NUMBERS (n, size, size, 3), from 32x32, in the order of the files.

    The files are in the format of SVHN: X (32, 32, 3, n) uint8 and y (n, 1), the digit
    itself. A label 10 is a 0, as in the files of SVHN; some copies are said to have it.
    """
    paths = files.locate('syn_numbers', dirs)
    parts = (_rendered(path, size) for path in paths)
    return Domain('syn_numbers', CLASSES, *parts)


def _listed_digits(root: pathlib.Path, split: str) -> Items:
    path = root / f'mnist_m_{split}_labels.txt'
    folder = root / f'mnist_m_{split}'
    items = [(folder / file, label) for file, label in lists.numbered(path)]
    return lists.existing(lists.within(tuple(items), CLASSES, path), path)


def _rendered(path: pathlib.Path, size: int) -> Arrays:
    image, label = lists.variable(path, 'X'), lists.variable(path, 'y').ravel()
    if image.ndim != 4 or image.shape[:3] != (32, 32, 3) or image.dtype != np.uint8:
        raise ValueError(
            f'{path}: X must be (32, 32, 3, n) uint8, not {image.shape} {image.dtype}'
        )
    if image.shape[-1] != len(label):
        raise ValueError(
            f'{path}: X has {image.shape[-1]} images, but y has {len(label)} labels'
        )
    outside = label[(label < 0) | (label > 10)]
    if outside.size:
        raise ValueError(f'{path}: y has the label {outside[0]}; digits are 0..9')
    image = np.ascontiguousarray(image.transpose(3, 0, 1, 2))
    label = label.astype(np.int32) % 10
    return Arrays(images.resize(image, size), label, CLASSES)
