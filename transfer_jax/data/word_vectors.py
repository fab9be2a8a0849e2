"""Word vectors, such as GloVe's, and the vectors of names made of words."""

import os
import pathlib
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax.data import files, listings
from transfer_jax.data.class_vectors import ClassVectors

FREQUENT = (
    20_000  # words whose mean centres the vectors; a file has the commonest first
)
MEAN = 'mean_of_20000'  # the same mean in an .npz of fewer words


class WordVectors(NamedTuple):
    """Vectors of words.

    Attributes:
      row: {word in lower case: its row}.
      vectors: (n, d) float32.
      mean: (d,) the mean of frequent words, to be subtracted where vectors are centred.
      about: the file, for messages.
    """

    row: Mapping[str, int]
    vectors: np.ndarray
    mean: np.ndarray
    about: str


def load(data_dir: str | os.PathLike | None = None) -> WordVectors:
    """The word vectors of the data folder.

    Raises:
      MissingData: there are none.
      ValueError: as `read`.
    """
    return read(files.locate('word_vectors', files.data_dirs(data_dir))[0])


def read(path: str | os.PathLike) -> WordVectors:
    """Word vectors of an .npz (names (n,), vectors (n, d)), or of GloVe's text format.

    A line of the text is a word and its numbers, separated by spaces. An .npz may hold
    `mean_of_20000` (d,); else the mean is that of its first 20,000 words.

    Raises:
      ValueError: no such file, an .npz without these arrays, or a line of another
        length (with its number).
    """
    path = pathlib.Path(path)
    try:
        names, vectors, mean = _npz(path) if path.suffix == '.npz' else _text(path)
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ValueError(f'{path}: cannot be read ({reason})') from None
    if not len(names):
        raise ValueError(f'{path}: has no word')
    row: dict[str, int] = {}
    for i, name in enumerate(names):
        row.setdefault(str(name).casefold(), i)
    mean = vectors[:FREQUENT].mean(0) if mean is None else mean
    return WordVectors(row, vectors, np.asarray(mean, np.float32), str(path))


def words(name: str) -> list[str]:
    """The words of a name: 'grand_piano' has two, and 'polar+bear' too."""
    text = re.sub(r'^\s*\d+\.', '', name).casefold()
    return re.findall(r'[^\W_]+', text.replace("'s", ' '))


def means(table: WordVectors, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) the mean of the known words of each name, and (n,) whether it has any."""
    found = [[table.row[w] for w in words(name) if w in table.row] for name in names]
    known = np.array([bool(rows) for rows in found], bool)
    vectors = np.zeros((len(names), table.vectors.shape[1]), np.float64)
    for i, rows in enumerate(found):
        if rows:
            vectors[i] = table.vectors[rows].astype(np.float64).mean(0)
    return vectors, known


def of_names(
    table: WordVectors, names: Sequence[str], *, centre: bool = False
) -> ClassVectors:
    """The vectors of classes from their names.

    Warns of words without a vector, which are left out.

    Args:
      centre: subtract the mean of frequent words.

    Raises:
      ValueError: a name without a known word; and as ClassVectors.
    """
    vectors, known = means(table, names)
    if not known.all():
        unknown = [name for name, ok in zip(names, known, strict=True) if not ok]
        raise ValueError(
            f'{table.about}: knows no word of {listings.few(map(repr, unknown))}; '
            'give another file, or other names'
        )
    lost = {w: None for name in names for w in words(name) if w not in table.row}
    if lost:
        warnings.warn(
            f'{table.about}: has no vector of {listings.few(lost)}: left out of names',
            stacklevel=2,
        )
    vectors = vectors - table.mean if centre else vectors
    return ClassVectors(tuple(names), vectors, f'names in {table.about}')


def _npz(path: pathlib.Path):
    try:
        with np.load(path, allow_pickle=False) as content:
            missing = {'names', 'vectors'} - set(content)
            if missing:
                raise ValueError(
                    f'it holds {", ".join(content)}; it needs names (n,) and vectors '
                    '(n, d)'
                )
            names, vectors = content['names'], content['vectors']
            mean = content[MEAN] if MEAN in content else None
        if vectors.ndim != 2 or names.shape != vectors.shape[:1]:
            raise ValueError(
                f'names {names.shape} and vectors {vectors.shape} must be (n,) and '
                '(n, d)'
            )
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    return names, vectors.astype(np.float32), mean


def _text(path: pathlib.Path):
    names, rows = [], []
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            name, *entries = line.rstrip().split(' ')
            if rows and len(entries) != len(rows[0]):
                raise ValueError(
                    f'{path}: line {number} has {len(entries)} numbers, not '
                    f'{len(rows[0])}'
                )
            try:
                rows.append(np.array(entries, np.float32))
            except ValueError as error:
                raise ValueError(f'{path}: line {number}: {error}') from None
            names.append(name)
    if not rows or not len(rows[0]):
        raise ValueError(f'{path}: needs lines of a word and its numbers')
    return names, np.stack(rows), None
