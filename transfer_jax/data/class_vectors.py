"""Vectors that describe classes, such as attributes, joined with classes by name.

Published files have orders of their own: the sentences of CUB are not in the order of
its classes.txt. A join by position then looks right on seen classes and is at chance on
unseen ones, so there is none here.
"""

import collections
import csv
import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable, Sequence

import numpy as np

from transfer_jax.data import listings


def fold(name: str) -> str:
    """A name as it is compared: '001.Black_footed+Cat' becomes 'black footed cat'.

    A leading number with a point, the case, and the signs '+', '_' and '-' between
    words do not count.
    """
    text = re.sub(r'^\s*\d+\.', '', str(name))
    return ' '.join(re.sub(r'[+_\-\s]+', ' ', text).split()).casefold()


def numbers(names: Iterable[str], classes: Sequence[str], what: str) -> np.ndarray:
    """(m,) the position of each name among the classes, compared by `fold`.

    Args:
      what: the list with the names, for messages, such as a file.

    Raises:
      ValueError: a name without a partner, or two names that fold to one; the message
        has them.
    """
    names = list(names)
    check_names(names, what)
    check_names(classes, 'the classes')
    at = {fold(name): i for i, name in enumerate(classes)}
    alone = [name for name in names if fold(name) not in at]
    if alone:
        raise ValueError(
            f'{what}: no class is named {listings.few(alone)}; the classes are '
            f'{listings.few(classes)}'
        )
    return np.array([at[fold(name)] for name in names], np.int32)


def check_names(names: Sequence[str], what: str) -> None:
    """Raises ValueError where two names fold to one, and where a name is empty."""
    by_fold = collections.defaultdict(list)
    for name in names:
        by_fold[fold(name)].append(str(name))
    if '' in by_fold:
        raise ValueError(f'{what}: a class has no name')
    for alike in by_fold.values():
        if len(alike) > 1:
            raise ValueError(
                f'{what}: {" and ".join(map(repr, alike))} are one name, because case, '
                'leading numbers and the signs + _ - do not count'
            )


@dataclasses.dataclass(frozen=True)
class ClassVectors:
    """A vector (a,) for each name; `about` is the file or the kind, for messages.

    Raises:
      ValueError: two names that fold to one, an entry that is no number, a vector of
        zeros, two equal vectors, or another number of names; the message names them.
    """

    names: tuple[str, ...]
    vectors: np.ndarray  # (c, a) float64
    about: str = 'class vectors'

    def __post_init__(self):
        vectors = np.asarray(self.vectors, np.float64)
        object.__setattr__(self, 'vectors', vectors)
        object.__setattr__(self, 'names', tuple(map(str, self.names)))
        if vectors.ndim != 2 or len(vectors) != len(self.names):
            raise ValueError(
                f'{self.about}: {len(self.names)} names for an array of shape '
                f'{vectors.shape}; give (classes, numbers)'
            )
        check_names(self.names, self.about)
        wrong = np.argwhere(~np.isfinite(vectors))
        if len(wrong):
            row, column = wrong[0]
            raise ValueError(
                f'{self.about}: {self.names[row]!r} has no number in column '
                f'{column + 1} ({vectors[row, column]})'
            )
        zero = np.flatnonzero(~vectors.any(1))
        if len(zero):
            raise ValueError(f'{self.about}: {self.names[zero[0]]!r} is all zeros')
        first: dict[bytes, str] = {}
        for name, vector in zip(self.names, vectors, strict=True):
            other = first.setdefault(vector.tobytes(), name)
            if other != name:
                raise ValueError(
                    f'{self.about}: {other!r} and {name!r} have the same vector, so no '
                    'method can tell them apart'
                )

    def of(self, classes: Sequence[str]) -> np.ndarray:
        """(c, a) the vectors of these classes, in their order.

        Raises:
          ValueError: a class without a vector, or two classes that fold to one.
        """
        check_names(classes, 'the classes')
        at = {fold(name): i for i, name in enumerate(self.names)}
        alone = [name for name in classes if fold(name) not in at]
        if alone:
            raise ValueError(
                f'{self.about}: no vector for {listings.few(alone)}; it has '
                f'{listings.few(self.names)}'
            )
        return self.vectors[[at[fold(name)] for name in classes]]


def from_csv(path: str | os.PathLike) -> ClassVectors:
    """Class vectors of a CSV: the name, then its numbers; a first line may be a header.

    Raises:
      ValueError: no such file, no row, a line of another length or with a word in
        place of a number (with its line number); and as ClassVectors.
    """
    path = pathlib.Path(path)
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            reader = csv.reader(file, skipinitialspace=True)
            lines = [(reader.line_num, row) for row in reader if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ValueError(f'{path}: cannot be read as CSV ({reason})') from None
    if lines and _is_header(lines[0][1]):
        lines = lines[1:]
    if not lines or len(lines[0][1]) < 2:
        raise ValueError(f'{path}: needs lines of a class name and its numbers')
    length = len(lines[0][1])
    rows = []
    for number, row in lines:
        if len(row) != length:
            raise ValueError(
                f'{path}: line {number} has {len(row) - 1} numbers, not {length - 1}'
            )
        try:
            rows.append([float(text) for text in row[1:]])
        except ValueError as error:
            raise ValueError(f'{path}: line {number}: {error}') from None
    return ClassVectors(tuple(row[0] for _, row in lines), np.array(rows), str(path))


def _is_header(row: Sequence[str]) -> bool:
    """Whether no entry after the first is a number."""

    def number(text):
        try:
            float(text)
        except ValueError:
            return False
        return True

    return len(row) > 1 and not any(map(number, row[1:]))
