"""Readers of the published files of zero-shot learning, and of a user's own.

The proposed splits (Xian et al., TPAMI 2019, xlsa17.zip) are .mat files for each data
set: att_splits.mat with `allclasses_names` (c, 1), `att` and `original_att` (a, c), and
rows `trainval_loc`, `test_seen_loc`, `test_unseen_loc`, counted from 1; res101.mat with
`features` (2048, n) and `labels` (n, 1), numbers of these classes from 1. The sentences
of CUB (sent_splits.mat) have the same fields and an order of classes of their own.
"""

import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from transfer_jax.data import class_vectors, files, zero_shot
from transfer_jax.data.class_vectors import ClassVectors
from transfer_jax.data.known import zero_shot as known
from transfer_jax.data.zero_shot import ZeroShotData

Path = str | os.PathLike
MISSING = -1  # an attribute that nobody has rated: the antelope's in AwA


class ProposedSplit(NamedTuple):
    """A proposed split: rows count the images of res101.mat, from 0."""

    vectors: ClassVectors  # of all classes, as published before normalisation
    train: np.ndarray  # seen classes
    test_seen: np.ndarray
    test_unseen: np.ndarray


def cub(
    data_dir: Path | None = None,
) -> tuple[ZeroShotData, dict[str, ClassVectors]]:
    """The CUB subset, with vectors 'attributes' (200, 312) and 'sentences' (200, 1024).

    Only the split of the classes is the proposed one; 10 of 40 images of each seen
    class are for testing.

    Raises:
      MissingData: a file is not in the data folder.
      ValueError: a file has another content than expected.
    """
    paths = files.locate('zsl_cub_subset', files.data_dirs(data_dir))
    at = {path.name: path for path in paths}
    classes = zero_shot.class_list(str(at['classes.txt']))
    path = at['cub_resnet_fc1000_f16_subset.npz']
    arrays = _npz(path, ('x', 'y', 'split'))
    label, split = arrays['y'].astype(np.int32), arrays['split']
    if label.min() < 0 or label.max() >= len(classes):
        raise ValueError(
            f'{path}: labels must be 0..{len(classes) - 1}, the lines of classes.txt, '
            f'not {label.min()}..{label.max()}'
        )
    seen, unseen = (
        np.sort(
            class_vectors.numbers(
                zero_shot.class_list(str(at[name])), classes, str(at[name])
            )
        )
        for name in ('trainvalclasses.txt', 'testclasses.txt')
    )
    rows = (np.flatnonzero(split == part) for part in range(3))
    data = ZeroShotData(
        arrays['x'].astype(np.float32), label, classes, seen, unseen, *rows
    )
    attributes = _matrix(at['class_attributes.txt'])
    sentences = proposed(at['sent_splits.mat']).vectors
    return data, {
        'attributes': ClassVectors(
            classes, attributes, str(at['class_attributes.txt'])
        ),
        'sentences': sentences,
    }


def attribute_names(data_dir: Path | None = None) -> tuple[str, ...]:
    """The 312 names of CUB's attributes, such as 'has_bill_shape::dagger'.

    Raises:
      MissingData: a file is not in the data folder.
    """
    paths = files.locate('zsl_cub_subset', files.data_dirs(data_dir))
    text = next(p for p in paths if p.name == 'attributes.txt').read_text('utf-8')
    return tuple(line.split()[1] for line in text.splitlines() if line.strip())


def proposed(path: Path) -> ProposedSplit:
    """A file att_splits.mat or sent_splits.mat.

    AwA marks four attributes of the antelope as not rated (-1); they become 0, as in
    AwA2's own text files.

    Raises:
      ValueError: a file without these fields, a row 0 (rows count from 1), or a row
        that is for training and for test.
    """
    path = pathlib.Path(path)
    key = 'original_att'
    rows = ('trainval_loc', 'test_seen_loc', 'test_unseen_loc')
    content = _mat(path, ('allclasses_names', 'att', *rows), (key,))
    names = tuple(str(entry.item()) for entry in content['allclasses_names'].ravel())
    vectors = np.array(content.get(key, content['att']), np.float64).T
    if key in content:
        vectors[vectors == MISSING] = 0
    parts = [_from_one(content[row], f'{path}: {row}') for row in rows]
    both = np.intersect1d(parts[0], np.concatenate(parts[1:]))
    if len(both):
        raise ValueError(f'{path}: row {both[0] + 1} is in training and in test')
    return ProposedSplit(ClassVectors(names, vectors, str(path)), *parts)


def with_features(
    name: str, data_dir: Path | None = None
) -> tuple[ZeroShotData, dict[str, ClassVectors]]:
    """'awa1', 'awa2', 'sun', 'apy' or 'cub' with ResNet-101 features, (n, 2048).

    Raises:
      MissingData: a file is not in the data folder; the features are not published
        with the splits at hand.
      ValueError: an unknown name, or files that do not fit.
    """
    if name not in known.PROPOSED:
        raise ValueError(
            f'no proposed split {name!r}; choose from {", ".join(known.PROPOSED)}'
        )
    dirs = files.data_dirs(data_dir)
    split = proposed(files.locate(f'zsl_{name}', dirs)[0])
    path = files.locate(f'zsl_{name}_features', dirs)[0]
    content = _mat(path, ('features', 'labels'))
    x = np.asarray(content['features'], np.float32).T
    label = _from_one(content['labels'], f'{path}: labels')
    classes = split.vectors.names
    if len(label) != len(x) or label.max() >= len(classes):
        raise ValueError(
            f'{path}: {len(x)} features, {len(label)} labels up to {label.max() + 1}, '
            f'{len(classes)} classes'
        )
    last = max(part.max() for part in split[1:])
    if last >= len(x):
        raise ValueError(
            f'{path}: has {len(x)} rows, and the split names row {last + 1}'
        )
    unseen = np.unique(label[split.test_unseen])
    seen = np.unique(label[split.train])
    data = ZeroShotData(x, label, classes, seen, unseen, *split[1:])
    return data, {'attributes': split.vectors}


def own(
    features: Path, vectors: ClassVectors, unseen: str, seed: int = 0
) -> tuple[ZeroShotData, dict[str, ClassVectors]]:
    """A user's features, with a list of unseen classes.

    Args:
      features: an .npz of x (n, d) and y (n,): names of classes, or numbers with an
        array `names` (c,) that names them.
      vectors: those of all classes; joined by name.
      unseen: a text file of names or names separated by commas.
      seed: of the quarter of each seen class that is for testing.

    Raises:
      ValueError: a file that does not fit, a class without vector, and as
        zero_shot.split_by_class.
    """
    x, label, classes = _own_features(pathlib.Path(features))
    vectors.of(classes)  # raises for a class without a vector
    listed = zero_shot.class_list(unseen)
    data = zero_shot.split_by_class(x, label, classes, listed, seed)
    return data, {'own': vectors}


def own_classes(features: Path) -> tuple[str, ...]:
    """The names of the classes in a user's features; raises as `own`."""
    return _own_features(pathlib.Path(features))[2]


def _own_features(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """(x (n, d), label (n,), names of the classes)."""
    arrays = _npz(path, ('x', 'y'), ('names',))
    x, y = arrays['x'], arrays['y']
    if x.ndim != 2 or y.shape != x.shape[:1] or not len(x):
        raise ValueError(f'{path}: x {x.shape} and y {y.shape} must be (n, d) and (n,)')
    if y.dtype.kind in 'US':
        classes, label = np.unique(y.astype(str), return_inverse=True)
    elif 'names' in arrays and y.dtype.kind in 'ui':
        classes, label = arrays['names'].astype(str), y.astype(np.int64)
        if label.min() < 0 or label.max() >= len(classes):
            raise ValueError(
                f'{path}: y has {label.min()}..{label.max()}, and names has '
                f'{len(classes)} entries, counted from 0'
            )
    else:
        raise ValueError(
            f'{path}: y must be names of classes, or whole numbers with an array names'
        )
    return x, label, tuple(map(str, classes))


def _from_one(rows: np.ndarray, what: str) -> np.ndarray:
    """Numbers counted from 1, as in MATLAB, counted from 0."""
    rows = np.asarray(rows).astype(np.int64).ravel()
    if not len(rows):
        raise ValueError(f'{what} is empty')
    if rows.min() < 1:
        raise ValueError(
            f'{what} has a {rows.min()}: these numbers count from 1, as in MATLAB'
        )
    return rows - 1


def _npz(path: pathlib.Path, needed, optional=()) -> Mapping[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as content:
            present = list(content)
            arrays = {k: content[k] for k in (*needed, *optional) if k in present}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ValueError(f'{path}: cannot be read as .npz ({reason})') from None
    if not set(needed) <= set(arrays):
        raise ValueError(
            f'{path}: holds {", ".join(present)}; it needs {", ".join(needed)}'
        )
    return arrays


def _mat(path: pathlib.Path, needed, optional=()) -> Mapping[str, np.ndarray]:
    from scipy import io  # slow to import: only where it is used

    try:
        content = io.loadmat(path, variable_names=(*needed, *optional))
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise ValueError(
            f'{path}: cannot be read as .mat ({type(error).__name__}: {error})'
        ) from None
    missing = [key for key in needed if key not in content]
    if missing:
        raise ValueError(f'{path}: has no {", ".join(missing)}')
    return content


def _matrix(path: pathlib.Path) -> np.ndarray:
    """Numbers separated by spaces, a line for each class."""
    try:
        return np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
