"""Sets for image retrieval: queries, the images that answer them, and junk.

Oxford5k, Paris6k, Holidays and UKBench as their authors publish them, and a user's own
images in groups. Nothing is decoded here; `shapes` does it, a batch at a time.
"""

import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax.data import files, folders, listings

Path = str | os.PathLike
Box = tuple[float, float, float, float]

# Damaged files of Paris6k: corrupt.txt of its publisher.
CORRUPT = frozenset(
    f'paris_{name}'
    for place, numbers in (
        ('louvre', '136 146'),
        ('moulinrouge', '422'),
        ('museedorsay', '1059'),
        ('notredame', '188'),
        ('pantheon', '284 960 974'),
        ('pompidou', '195 196 201 467 640'),
        ('sacrecoeur', '299 330 353'),
        ('triomphe', '662 833 863 867'),
    )
    for name in (f'{place}_{int(number):06}' for number in numbers.split())
)
PREFIX = 'oxc1_'  # of the names of images in the queries of Oxford5k
LISTS = ('good', 'ok', 'junk')
USER = ('folder:PATH', 'csv:FILE')  # a user's own sets


class Query(NamedTuple):
    """A query; numbers are those of images of the gallery."""

    name: str
    index: int  # its own image
    box: Box | None  # x0, y0, x1, y1 in pixels, or the whole image
    positives: np.ndarray  # (p,) int
    junk: np.ndarray  # (j,) int: neither correct nor wrong


class Gallery(NamedTuple):
    """Images and queries.

    Attributes:
      leave_out_query: the image of a query is no answer to it.
      trapezoidal: the published average precision is that of the trapezoidal rule,
        metrics.trapezoidal_average_precision.
    """

    name: str
    images: tuple[pathlib.Path, ...]
    queries: tuple[Query, ...]
    leave_out_query: bool
    trapezoidal: bool


def is_set(spec: str) -> bool:
    """Whether `load` reads it: a name of SETS, folder:PATH or csv:FILE."""
    kind, _, rest = spec.partition(':')
    return spec in SETS or (kind in _OWN and bool(rest))


def load(spec: str, data_dir: Path | None = None) -> Gallery:
    """A set of SETS, or a user's: `folder:PATH` (see from_groups) or `csv:FILE`.

    Raises:
      ValueError: no such set, or files that do not fit together; the message names one.
      MissingData: the set is not in the data folder.
    """
    if not is_set(spec):
        raise ValueError(
            f'no retrieval set {spec!r}; choose from {", ".join((*SETS, *USER))}'
        )
    if spec in SETS:
        return SETS[spec](files.data_dirs(data_dir))
    kind, _, rest = spec.partition(':')
    path = pathlib.Path(rest).expanduser()
    listing = _OWN[kind](path)
    listings.warn(path, listing.left_out)
    return from_groups(path.resolve().name, *zip(*listing.items, strict=True))


def oxford5k(dirs: tuple[pathlib.Path, ...]) -> Gallery:
    """Oxford Buildings (Philbin et al. 2007): landmarks, with boxes in the queries.

    `oxford5k/images/*.jpg`, and `oxford5k/groundtruth/` with four files of each query:
    `NAME_query.txt` ('oxc1_IMAGE x0 y0 x1 y1'), and the names of images in
    `NAME_good.txt`, `NAME_ok.txt` and `NAME_junk.txt`. Good and ok images are correct.
    The image of a query is itself in a list and counts as published.
    """
    return _buildings('oxford5k', dirs, frozenset())


def paris6k(dirs: tuple[pathlib.Path, ...]) -> Gallery:
    """Paris Buildings (Philbin et al. 2008), as `oxford5k` but for the 'oxc1_'.

    Images may lie in folders of landmarks, as in the archives. The 20 images that the
    publisher lists as damaged are left out, of the gallery and of the lists.
    """
    return _buildings('paris6k', dirs, CORRUPT)


def holidays(dirs: tuple[pathlib.Path, ...]) -> Gallery:
    """INRIA Holidays (Jegou et al. 2008): `holidays/jpg/100000.jpg` and so on.

    Images with the same number but for the last two digits are a group; the one with 00
    is the query, the others answer it. The query is left out of its ranking.

    Raises:
      ValueError: a group without its query, or a query without an answer.
    """
    paths = files.locate('holidays', dirs)
    numbers = _numbers(paths, '')
    queries = []
    for group in np.unique(numbers // 100):
        members = np.flatnonzero(numbers // 100 == group)
        first = members[0]
        if numbers[first] % 100:
            raise ValueError(
                f'{paths[first]}: its query {group * 100}.jpg is not in the folder'
            )
        if len(members) == 1:
            raise ValueError(f'{paths[first]}: a query without an answer')
        name = paths[first].stem
        queries.append(Query(name, int(first), None, members[1:], _none()))
    return Gallery('holidays', tuple(paths), tuple(queries), True, True)


def ukbench(dirs: tuple[pathlib.Path, ...]) -> Gallery:
    """UKBench (Nister and Stewenius 2006): `ukbench/full/ukbench00000.jpg` and so on.

    Four images in a row show one object. Each image is a query, and one of its answers.

    Raises:
      ValueError: an object with fewer than four images.
    """
    paths = files.locate('ukbench', dirs)
    numbers = _numbers(paths, 'ukbench')
    complete = np.unique(numbers // 4)[:, None] * 4 + np.arange(4)
    missing = np.setdiff1d(complete, numbers)
    if len(missing):
        raise ValueError(
            f'{paths[0].parent}: ukbench{missing[0]:05}.jpg is missing; an object has '
            'four images'
        )
    queries = tuple(
        Query(path.stem, i, None, np.arange(i // 4 * 4, i // 4 * 4 + 4), _none())
        for i, path in enumerate(paths)
    )
    return Gallery('ukbench', tuple(paths), queries, False, False)


def from_groups(
    name: str, paths: Sequence[pathlib.Path], group: Sequence[int]
) -> Gallery:
    """Images in groups, such as classes: each image is a query, and the others of its
    group answer it. An image that is alone in its group is no query.

    Raises:
      ValueError: every image is alone.
    """
    group = np.asarray(group)
    queries = []
    for i, path in enumerate(paths):
        members = np.flatnonzero(group == group[i])
        if len(members) > 1:
            others = members[members != i]
            queries.append(Query(path.stem, i, None, others, _none()))
    if not queries:
        raise ValueError(f'{name}: no group has two images, so no query has an answer')
    return Gallery(name, tuple(paths), tuple(queries), True, False)


def _buildings(name, dirs, corrupt) -> Gallery:
    located = files.locate(name, dirs)
    texts = [path for path in located if path.suffix == '.txt']
    images = [p for p in located if p.suffix != '.txt' and p.stem not in corrupt]
    number = {path.stem: i for i, path in enumerate(images)}
    if len(number) < len(images):
        twice = next(p for i, p in enumerate(images) if number[p.stem] != i)
        raise ValueError(f'{twice}: {images[number[twice.stem]]} has the same name')
    folder = texts[0].parent
    names = [path.name.removesuffix('_query.txt') for path in texts]
    for path in sorted(folder.glob('*_junk.txt')):
        if path.name.removesuffix('_junk.txt') not in names:
            query = path.name.replace('_junk', '_query')
            raise ValueError(f'{path}: there is no {query} beside it')
    queries = tuple(_query(folder, query, number, corrupt) for query in names)
    return Gallery(name, tuple(images), queries, False, True)


def _query(folder, name, number, corrupt) -> Query:
    file = folder / f'{name}_query.txt'
    text = file.read_text().strip()
    image, *corners = text.split() or ['']
    try:
        x0, y0, x1, y1 = box = tuple(map(float, corners))
    except ValueError:
        raise ValueError(f'{file}: {text!r} is not IMAGE x0 y0 x1 y1') from None
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f'{file}: the box {" ".join(corners)} is empty')
    image = image.removeprefix(PREFIX)
    if image not in number:
        raise ValueError(f'{file}: its image {image}.jpg is not in the folder')
    rows = {}
    for kind in LISTS:
        path = folder / f'{name}_{kind}.txt'
        if not path.is_file():
            raise ValueError(f'{file}: there is no {path.name} beside it')
        listed = dict.fromkeys(path.read_text().split())  # each once
        listed = [entry for entry in listed if entry not in corrupt]
        missing = [entry for entry in listed if entry not in number]
        if missing:
            raise ValueError(f'{path}: {missing[0]}.jpg is not in the folder of images')
        rows[kind] = [number[entry] for entry in listed]
    positives = np.unique(np.array(rows['good'] + rows['ok'], int))
    if not len(positives):
        lists = f'{name}_good.txt and {name}_ok.txt'
        raise ValueError(f'{file}: {lists} are empty, so no image is correct')
    junk = np.unique(np.array(rows['junk'], int))
    return Query(name, number[image], box, positives, junk)


def _numbers(paths: Sequence[pathlib.Path], prefix: str) -> np.ndarray:
    """The numbers in the names of files, ascending as the sorted files."""
    for path in paths:
        if not path.stem.removeprefix(prefix).isdecimal():
            raise ValueError(f'{path}: not named {prefix}NUMBER.jpg')
    return np.array([int(path.stem.removeprefix(prefix)) for path in paths])


def _none() -> np.ndarray:
    return np.zeros(0, int)


_OWN = {'folder': folders.files_by_class, 'csv': folders.from_csv}
SETS = {
    'oxford5k': oxford5k,
    'paris6k': paris6k,
    'holidays': holidays,
    'ukbench': ukbench,
}
