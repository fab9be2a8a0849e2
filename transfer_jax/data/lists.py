"""Text files and .mat files that list the images of a published set."""

import pathlib
from collections.abc import Sequence

import numpy as np

from transfer_jax.data import listings
from transfer_jax.data.listed import Items


def lines(path: pathlib.Path) -> list[str]:
    """The lines of a text file that are not empty, without spaces around them.

    Raises:
      ValueError: it cannot be read, or is empty.
    """
    try:
        text = path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ValueError(f'{path}: cannot be read ({reason})') from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise ValueError(f'{path}: is empty')
    return found


def numbered(path: pathlib.Path) -> list[tuple[str, int]]:
    """(name, number) of lines 'name number'; names may have spaces.

    Raises:
      ValueError: as `lines`, or a line without a number; the message has it.
    """
    pairs = []
    for line in lines(path):
        name, _, number = line.rpartition(' ')
        if not (name and number.isdecimal()):
            raise ValueError(
                f'{path}: {line!r} is not a file and the number of a class'
            )
        pairs.append((name.strip(), int(number)))
    return pairs


def by_id(path: pathlib.Path) -> dict[int, str]:
    """{id: text} of lines 'id text', as CUB-200 has them.

    Raises:
      ValueError: as `lines`, a line without an id, or an id that comes twice.
    """
    found: dict[int, str] = {}
    for line in lines(path):
        number, _, text = line.partition(' ')
        if not (number.isdecimal() and text):
            raise ValueError(f'{path}: {line!r} is not an id and a text')
        if int(number) in found:
            raise ValueError(f'{path}: the id {number} comes twice')
        found[int(number)] = text.strip()
    return found


def existing(items: Sequence[tuple[pathlib.Path, int]], path: pathlib.Path) -> Items:
    """The items, if all their files are there; `path` is the list that names them.

    Raises:
      ValueError: files are missing; the message has the first and their number.
    """
    missing = [file for file, _ in items if not file.is_file()]
    if missing:
        others = f' and {len(missing) - 1:,} more' if len(missing) > 1 else ''
        raise ValueError(
            f'{path}: names files that are not there: {missing[0]}{others} (of '
            f'{len(items):,})'
        )
    return tuple(items)


def within(items: Items, classes: Sequence[str], path: pathlib.Path) -> Items:
    """The items, if all their labels are numbers of classes.

    Raises:
      ValueError: a label outside the classes; the message has the first.
    """
    for file, label in items:
        if not 0 <= label < len(classes):
            raise ValueError(
                f'{path}: {file.name} has the class {label}; the {len(classes)} '
                f'classes are 0..{len(classes) - 1}'
            )
    return items


def classes_of(items: Items, path: pathlib.Path) -> tuple[str, ...]:
    """The names of the classes: the folders of the files of each label.

    Raises:
      ValueError: a label with files in two folders, two labels with one folder, or a
        number below the highest without files.
    """
    names: dict[int, str] = {}
    for file, label in items:
        first = names.setdefault(label, file.parent.name)
        if first != file.parent.name:
            raise ValueError(
                f'{path}: the class {label} has files in {first} and in '
                f'{file.parent.name}'
            )
    gaps = [str(i) for i in range(max(names) + 1) if i not in names]
    if gaps:
        raise ValueError(
            f'{path}: its classes go up to {max(names)}, but it lists no file of '
            f'{listings.few(gaps)}'
        )
    ordered = tuple(names[i] for i in range(len(names)))
    twice = [name for name in ordered if ordered.count(name) > 1]
    if twice:
        raise ValueError(f'{path}: files in {twice[0]} have two classes')
    return ordered


def variable(path: pathlib.Path, name: str) -> np.ndarray:
    """A variable of a .mat file of MATLAB 5 to 7.2.

    Raises:
      ValueError: no readable .mat file, or it has no such variable.
    """
    import scipy.io  # heavy: only where it is used

    try:
        content = scipy.io.loadmat(path, variable_names=[name])
        known = [entry[0] for entry in scipy.io.whosmat(path)]
    except Exception as error:  # a damaged file may raise anything
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise ValueError(f'{path}: not a readable .mat file ({reason})') from None
    if name not in content:
        raise ValueError(f'{path}: has no variable {name}, only {", ".join(known)}')
    return content[name]
