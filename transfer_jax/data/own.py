"""Domains of a user: a folder, an .npz file or a tensorflow-datasets set."""

import pathlib

import numpy as np

from transfer_jax.data import files, folders, image_files, listings, npz, sources
from transfer_jax.data.sources import Arrays, Domain

Dirs = tuple[pathlib.Path, ...]
SPLIT_SEED = 0
TRAIN_SHARE = 0.8  # of data without a train and a test part


def _from_folder(path: str, size: int, dirs: Dirs, **options: bool) -> Domain:
    folder = pathlib.Path(path).expanduser()
    parts = folders.parts(folder)
    read = []
    for part in parts:
        if part is not None:
            listings.warn(folder, part.left_out)
            read.append(
                image_files.from_files(
                    part.items, part.classes, folder, size=size, **options
                )
            )
    name = folder.resolve().name
    if parts.test is None:
        return _cut(name, *read, None)
    return Domain(name, parts.train.classes, *read)


def _from_npz(path: str, size: int, dirs: Dirs) -> Domain:
    file = pathlib.Path(path).expanduser()
    train = npz.from_npz(file, 'train')
    if npz.has_splits(file):
        test = npz.from_npz(file, 'test')
        return Domain(file.name, train.classes, train, test)
    return _cut(file.name, train, _permutation(len(train)))


def _from_tfds(name: str, size: int, dirs: Dirs) -> Domain:
    folder = next(
        (d for d in dirs if (d / name.split('/')[0].split(':')[0]).is_dir()), None
    )
    if folder is None:
        raise files.MissingData(
            f'tfds:{name} is missing: no folder {name} under '
            f'{", ".join(str(d) for d in dirs)}.\n'
            f'  Prepare it: python -m experiments.data prepare tfds:{name}'
        )
    train = sources.from_tfds(name, 'train', folder, size)
    if 'test' not in sources.tfds_splits(name, folder):
        return _cut(name, train, _permutation(len(train)))
    test = sources.from_tfds(name, 'test', folder, size)
    return Domain(name, train.classes, train, test)


def _permutation(size: int) -> np.ndarray:
    return np.random.default_rng(SPLIT_SEED).permutation(size)


def _cut(name: str, whole: Arrays, order: np.ndarray | None) -> Domain:
    """The first 80 % of `order` become train, the rest test; None: views, no copies."""
    if len(whole) < 2:
        raise ValueError(
            f'{name}: {len(whole)} images cannot be cut into train and test'
        )
    first = first_part(len(whole))
    cuts = [slice(first), slice(first, None)]
    return Domain(
        name,
        whole.classes,
        *(whole.take(cut if order is None else order[cut]) for cut in cuts),
    )


def first_part(size: int) -> int:
    """How many of `size` items become train; one at least of each part."""
    return min(size - 1, max(1, round(TRAIN_SHARE * size)))


def state(kind: str, path: str) -> tuple:
    """A value that changes whenever the user's files do."""
    if kind not in ('folder', 'npz'):
        return ()
    root = pathlib.Path(path).expanduser()
    paths = listings.below(root).files if root.is_dir() else [root]
    stats = [(str(p), p.stat()) for p in paths if p.is_file()]
    return tuple((p, s.st_mtime_ns, s.st_size) for p, s in stats)


KINDS = {'folder': _from_folder, 'npz': _from_npz, 'tfds': _from_tfds}
