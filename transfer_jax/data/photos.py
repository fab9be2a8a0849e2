"""Photographs: Caltech-101, Office-Caltech10, PACS, COIL-100, ImageNet, CIFAR-10."""

import csv
import functools
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from transfer_jax.data import features, files, image_files, images, listings
from transfer_jax.data.sources import Arrays, Domain

Dirs = tuple[pathlib.Path, ...]
Items = list[tuple[pathlib.Path, int]]

PACS = ('dog', 'elephant', 'giraffe', 'guitar', 'horse', 'house', 'person')
CIFAR10 = (
    *('airplane', 'automobile', 'bird', 'cat', 'deer'),
    *('dog', 'frog', 'horse', 'ship', 'truck'),
)
TRAIN_SHARE = 0.8  # of a domain without a published split
PER_CLASS = 30  # training images of a class of Caltech-101 without a list of splits
IMAGENET_ZOOM = 256 / 224  # the margin of the usual evaluation


def caltech101(size: int, dirs: Dirs) -> Domain:
    """Caltech-101 (Fei-Fei et al. 2004), or the subset whose class folders exist.

    MANIFEST.csv (file, split) gives the split into train and test. Without it, 30
    images of each class, drawn by the digests of the files, are for training. Images
    are scaled to a shorter side of `size` and cropped to the central square.
    """
    root = files.locate('caltech101', dirs)[0].parents[1]
    classes = tuple(sorted(p.name for p in root.iterdir() if listings.is_class(p)))
    split = _manifest(root, 'split')
    items = _by_folder(root, classes)
    if split:
        unlisted = [f for f, _ in items if _key(f, root) not in split]
        if unlisted:
            raise ValueError(f'{root}: MANIFEST.csv does not list {unlisted[0]}')
        parts = [
            [item for item in items if split[_key(item[0], root)] == name]
            for name in ('train', 'test')
        ]
        read = [
            image_files.from_files(part, classes, root, size=size, zoom=1.0)
            for part in parts
        ]
        return Domain('caltech101', classes, *read)
    whole = image_files.from_files(items, classes, root, size=size, zoom=1.0)
    first = np.concatenate(
        [np.flatnonzero(whole.label == i)[:PER_CLASS] for i in range(len(classes))]
    )
    rest = np.setdiff1d(np.arange(len(whole)), first)
    return Domain('caltech101', classes, whole.take(np.sort(first)), whole.take(rest))


def office(name: str) -> Callable[[int, Dirs], Domain]:
    """A domain of Office-Caltech10 (Gong et al. 2012): 10 classes, four fifths train.

    The digests of the files order the images, so the split is independent of labels.
    """
    return functools.partial(
        _cut, 'office_caltech10', f'office_{name}', name, features.OFFICE_CALTECH10
    )


def pacs(name: str) -> Callable[[int, Dirs], Domain]:
    """A domain of PACS (Li et al. 2017): 7 classes, four fifths train."""
    return functools.partial(_cut, 'pacs', f'pacs_{name}', name, PACS)


def coil100(size: int, dirs: Dirs) -> Domain:
    """COIL-100 (Nene et al. 1996): rotated objects; every second view is for training.

    A class is an object, named by its number.
    """
    paths = files.locate('coil100', dirs)
    parts = [path.stem.removeprefix('obj').split('__') for path in paths]
    views = [(int(number), int(degrees)) for number, degrees in parts]
    objects = sorted({number for number, _ in views})
    classes = tuple(map(str, objects))
    read = []
    for odd in (0, 1):
        items = [
            (path, objects.index(number))
            for path, (number, degrees) in zip(paths, views, strict=True)
            if degrees // 15 % 2 == odd
        ]
        read.append(image_files.from_files(items, classes, paths[0].parent, size=size))
    return Domain('coil100', classes, *read)


def imagenet_samples(size: int, dirs: Dirs) -> Domain:
    """One photograph each of some classes of ILSVRC 2012; labels are those of ILSVRC.

    For checking converted weights. Nothing is trained on it, and both parts hold the
    same images. They are resized and cropped as in the usual evaluation, 256 to 224.
    """
    root = files.locate('imagenet_samples', dirs)[0].parent
    label = {k: int(v) for k, v in _manifest(root, 'ilsvrc_index').items()}
    names = {label[k]: v for k, v in _manifest(root, 'name').items()}
    classes = tuple(names.get(i, str(i)) for i in range(1000))
    items = [(root / name, number) for name, number in label.items()]
    whole = image_files.from_files(items, classes, root, size=size, zoom=IMAGENET_ZOOM)
    return Domain('imagenet_samples', classes, whole, whole)


def cifar10_test(size: int, dirs: Dirs) -> Domain:
    """Some test images of CIFAR-10, lossily compressed; both parts are the same."""
    path = files.locate('cifar10_test', dirs)[0]
    with np.load(path, allow_pickle=False) as content:
        image, label = content['images'], content['labels'].astype(np.int32)
    whole = Arrays(images.resize(image, size), label, CIFAR10)
    return Domain('cifar10_test', CIFAR10, whole, whole)


def _cut(
    known: str, name: str, folder: str, classes: tuple[str, ...], size: int, dirs: Dirs
) -> Domain:
    """A domain without a published split: the first four fifths by digest are train."""
    roots = {path.parents[1] for path in files.locate(known, dirs)}
    root = next(path for path in roots if path.name == folder)
    items = _by_folder(root, classes)
    whole = image_files.from_files(items, classes, root, size=size)
    first = round(TRAIN_SHARE * len(whole))
    rows = np.arange(len(whole))
    return Domain(name, classes, whole.take(rows[:first]), whole.take(rows[first:]))


def _by_folder(root: pathlib.Path, classes: Sequence[str]) -> Items:
    """(file, label) of every image in the folders of the classes."""
    missing = [name for name in classes if not (root / name).is_dir()]
    if missing:
        raise ValueError(f'{root}: has no folder of the class {missing[0]!r}')
    return [
        (file, number)
        for number, name in enumerate(classes)
        for file in listings.below(root / name).files
    ]


def _manifest(root: pathlib.Path, column: str) -> dict[str, str]:
    """{file: entry of a column} of MANIFEST.csv, or {} without that file."""
    path = root / 'MANIFEST.csv'
    if not path.is_file():
        return {}
    with open(path, newline='', encoding='utf-8') as file:
        try:
            return {row['file']: row[column] for row in csv.DictReader(file)}
        except KeyError as error:
            raise ValueError(f'{path}: has no column {error}') from None


def _key(file: pathlib.Path, root: pathlib.Path) -> str:
    return file.relative_to(root).as_posix()
