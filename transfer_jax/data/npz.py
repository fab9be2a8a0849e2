"""Images and labels of an .npz file, with a message for all that a file may have wrong.

A file holds `image` (n, h, w) or (n, h, w, c) uint8 and `label` (n,), whole numbers
from 0; or a train and a test part, `train_x`, `train_y`, `test_x` and `test_y`. The
array `classes` (c,) may give the names of the labels.
"""

import collections
import os
import pathlib
import warnings
import zipfile
import zlib

import numpy as np

from transfer_jax.data import checks, listings
from transfer_jax.data.sources import Arrays

UNNAMED = 100_000  # more classes than this need names
KEYS = 'image and label, or train_x, train_y, test_x and test_y'

_PLAIN = {  # how to save what is an array of objects
    **dict.fromkeys(('image', 'train_x', 'test_x'), 'give images of one size, uint8'),
    **dict.fromkeys(
        ('label', 'train_y', 'test_y'),
        'number them, classes, label = np.unique(names, return_inverse=True)',
    ),
    'classes': 'give np.array(classes, str)',
}

Path = str | os.PathLike


def from_npz(path: Path, split: str = 'train') -> Arrays:
    """Reads the arrays `image` and `label`, or `<split>_x` and `<split>_y`.

    Warns of classes without an image in any part: labels that do not begin with 0, or
    leave numbers out.

    Raises:
      ValueError: the message names the file, what is wrong, and what to do.
    """
    path = pathlib.Path(path)
    with _opened(path) as content:
        whole = 'image' in content
        keys = ('image', 'label') if whole else (f'{split}_x', f'{split}_y')
        _require(path, content, keys)
        image, label = (_array(path, content, key) for key in keys)
        names = _class_names(path, content)
    image = image[..., None] if image.ndim == 3 else image
    try:
        return Arrays(image, label.astype(np.int32), names)
    except ValueError as error:
        raise ValueError(f'{path}: {keys[0]} and {keys[1]}: {error}') from None


def images_of(path: Path) -> np.ndarray | None:
    """The array `image` (n, h, w, c) uint8, which needs no labels; None without it.

    Raises:
      ValueError: as from_npz.
    """
    path = pathlib.Path(path)
    with _opened(path) as content:
        if 'image' not in content:
            return None
        image = _array(path, content, 'image')
    image = image[..., None] if image.ndim == 3 else image
    try:
        checks.check_images(image)
    except ValueError as error:
        raise ValueError(f'{path}: image: {error}') from None
    return image


def class_names(path: Path) -> tuple[str, ...]:
    """The names of the classes; reads no image.

    Raises:
      ValueError: as from_npz.
    """
    path = pathlib.Path(path)
    with _opened(path) as content:
        return _class_names(path, content)


def has_splits(path: Path) -> bool:
    """Whether a file holds a train and a test part; ValueError as from_npz."""
    with _opened(pathlib.Path(path)) as content:
        return {'train_x', 'test_x'} <= set(content)


def _opened(path: pathlib.Path):
    """The file, which reads an array when it is asked for."""
    try:
        content = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f'{path}: there is no such file') from None
    except IsADirectoryError:
        raise ValueError(f'{path}: is a folder; give folder:PATH') from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f'{path}: cannot be read as .npz ({error})') from None
    if isinstance(content, np.ndarray):
        raise ValueError(
            f'{path}: holds one array, as .npy; save images and labels in one file, '
            'np.savez(path, image=image, label=label)'
        )
    return content


def _array(path: pathlib.Path, content, key: str) -> np.ndarray:
    try:
        return content[key]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = f'cannot be read ({error})'
        if 'pickle' in str(error):
            reason = f'holds Python objects, which are not read: {_PLAIN[key]}'
        raise ValueError(f'{path}: {key} {reason}') from None


def _require(path, content, keys) -> None:
    if not set(keys) <= set(content):
        raise ValueError(f'{path}: holds the arrays {sorted(content)}; it needs {KEYS}')


def _class_names(path: pathlib.Path, content) -> tuple[str, ...]:
    """One name for each label; checks the labels of all parts."""
    if 'image' in content:
        keys = ['label']
    else:
        keys = [key for key in ('train_y', 'test_y') if key in content]
    _require(path, content, keys or ['label'])
    labels = {key: _array(path, content, key) for key in keys}
    names = None
    if 'classes' in content:
        names = _given_names(path, _array(path, content, 'classes'))
    present: set[int] = set()
    for key, label in labels.items():
        try:
            checks.check_label_type(label)
            _check_count(label, names)
            if not label.ndim:
                raise ValueError('one number is not a label for each image')
            checks.check_labels(label, len(label))
        except ValueError as error:
            raise ValueError(f'{path}: {key}: {error}') from None
        present.update(np.unique(label).tolist())
    if names is None:
        names = tuple(map(str, range(max(present, default=-1) + 1)))
    empty = [name for i, name in enumerate(names) if i not in present]
    if empty:
        warnings.warn(
            f'{path}: {len(empty)} of {len(names)} classes have no image: '
            f'{listings.few(empty)}',
            stacklevel=3,
        )
    return names


def _check_count(label: np.ndarray, names: tuple[str, ...] | None) -> None:
    """The highest label must have a name, or be low enough to need none."""
    highest = int(label.max()) if label.size else 0
    if names is None and highest >= UNNAMED:
        raise ValueError(
            f'label {highest} would mean {highest + 1:,} classes: number the labels '
            'from 0, or give their names as the array classes'
        )
    if names is not None and highest >= len(names):
        raise ValueError(
            f'labels must be 0..{len(names) - 1} for its {len(names)} classes, not up '
            f'to {highest}'
        )


def _given_names(path: pathlib.Path, classes: np.ndarray) -> tuple[str, ...]:
    if classes.ndim != 1:
        raise ValueError(
            f'{path}: classes must be a list with the name of each label, not an array '
            f'of shape {classes.shape}'
        )
    names = tuple(map(str, classes))
    twice = [name for name, n in collections.Counter(names).items() if n > 1]
    if twice:
        raise ValueError(f'{path}: classes has {listings.few(twice)} more than once')
    return names
