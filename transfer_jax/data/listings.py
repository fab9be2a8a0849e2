"""Which files below a folder are images, and a line about what is left out."""

import collections
import os
import pathlib
import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from transfer_jax.data import images

SYSTEM_FOLDERS = ('__MACOSX', '@eaDir', '.ipynb_checkpoints')  # copies and thumbnails
SYSTEM_FILES = ('thumbs.db', 'ehthumbs.db', 'desktop.ini')
NAMES = 10  # names in a message; a count stands for the others

# The kinds of what is left out: {one: several}. A name or ending may follow a kind.
MANY = {
    'no image': 'no images',
    'image in no class': 'images in no class',
    'empty class': 'empty classes',
    'split without classes': 'splits without classes',
    'broken link': 'broken links',
    'unreadable folder': 'unreadable folders',
    'link to a folder above': 'links to a folder above',
}


class Listing(NamedTuple):
    """Image files, and how many entries are left out: {reason: count}."""

    files: tuple[pathlib.Path, ...]
    left_out: Mapping[str, int]


def below(folder: pathlib.Path) -> Listing:
    """The images below a folder, at any depth, ordered by their paths.

    Links are followed. A folder that cannot be read is counted in `left_out`.
    """
    found: list[str] = []
    left_out: collections.Counter[str] = collections.Counter()
    above = frozenset(map(_identity, folder.absolute().parents))
    _walk(os.fspath(folder), images.suffixes(), found, left_out, above)
    return Listing(tuple(sorted(map(pathlib.Path, found))), dict(left_out))


def beside(folder: pathlib.Path) -> tuple[int, dict[str, int]]:
    """(images, what else is left out) of the files that lie directly in a folder."""
    found: list[str] = []
    left_out: collections.Counter[str] = collections.Counter()
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_class(entry):
                _sort(entry, images.suffixes(), found, left_out)
    return len(found), dict(left_out)


def is_class(entry: os.DirEntry | pathlib.Path) -> bool:
    """Whether it is a folder that may be a class: not hidden, not the system's."""
    if entry.name.startswith('.') or entry.name in SYSTEM_FOLDERS:
        return False
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def few(names: Iterable[str]) -> str:
    """The first names, and a count of the others."""
    names = list(names)
    more = f' and {len(names) - NAMES} more' if len(names) > NAMES else ''
    return ', '.join(names[:NAMES]) + more


def line(path: str | os.PathLike, left_out: Mapping[str, int]) -> str:
    """'left out of PATH: 3 no images (2 .txt, 1 .pdf), 2 hidden', or '' for nothing."""
    kinds: dict[str, collections.Counter[str]] = {}
    for reason, count in left_out.items():
        kind = next((kind for kind in MANY if reason.startswith(kind)), reason)
        detail = reason.removeprefix(kind).strip()
        detail = detail.strip('()') if kind == 'no image' else detail
        kinds.setdefault(kind, collections.Counter())[detail] += count
    texts = []
    for kind, details in kinds.items():
        count = details.total()
        text = f'{count} {kind if count == 1 else MANY.get(kind, kind)}'
        names = few(
            f'{n} {detail}' if kind == 'no image' else detail
            for detail, n in details.most_common()
            if detail
        )
        texts.append(f'{text} ({names})' if names else text)
    return f'left out of {path}: {", ".join(texts)}' if texts else ''


def warn(path: str | os.PathLike, left_out: Mapping[str, int]) -> None:
    """Warns if something is left out that may be meant as an image or a class."""
    if any(not reason.startswith(('hidden', 'in ')) for reason in left_out):
        warnings.warn(line(path, left_out), stacklevel=3)


def _walk(
    folder: str,
    endings: Collection[str],
    found: list[str],
    left_out: collections.Counter[str],
    above: frozenset,
) -> None:
    try:
        identity = _identity(folder)
        with os.scandir(folder) as entries:
            entries = list(entries)
    except OSError:
        left_out['unreadable folder'] += 1
        return
    if identity in above:  # following it would never end
        left_out['link to a folder above'] += 1
        return
    for entry in entries:
        if is_class(entry):
            _walk(entry.path, endings, found, left_out, above | {identity})
        else:
            _sort(entry, endings, found, left_out)


def _identity(folder: str | os.PathLike) -> tuple[int, int]:
    state = os.stat(folder)
    return state.st_dev, state.st_ino


def _sort(
    entry: os.DirEntry,
    endings: Collection[str],
    found: list[str],
    left_out: collections.Counter[str],
) -> None:
    """Puts what is no folder of images into one of the two."""
    if entry.name in SYSTEM_FOLDERS:
        count = sum(len(files) for _, _, files in os.walk(entry.path))
        if count:
            left_out[f'in {entry.name}'] += count
    elif entry.name.startswith('.') or entry.name.lower() in SYSTEM_FILES:
        left_out['hidden'] += 1
    elif entry.is_symlink() and not os.path.exists(entry.path):
        left_out['broken link'] += 1
    else:
        ending = os.path.splitext(entry.name)[1].lower()
        if ending in endings and entry.is_file():
            found.append(entry.path)
        else:
            left_out[f'no image ({ending or "no ending"})'] += 1
