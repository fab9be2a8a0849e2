"""Images in a user's folders: which files they are, and of which class.

The layouts: `<class>/<file>` at any depth below the class, `<split>/<class>/<file>`,
images without classes (`unlabelled`), or a CSV of files and labels. image_files
decodes what is listed here.
"""

import collections
import csv
import os
import pathlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from transfer_jax.data import image_files, listings
from transfer_jax.data.listings import Listing
from transfer_jax.data.sources import Arrays

SPLITS = {
    **dict.fromkeys(('train', 'training'), 'train'),
    **dict.fromkeys(('val', 'valid', 'validation', 'dev'), 'val'),
    **dict.fromkeys(('test', 'testing'), 'test'),
}

Path = str | os.PathLike


class Labelled(NamedTuple):
    """(file, label) of images, label i means `classes[i]`; and what is left out."""

    items: tuple[tuple[pathlib.Path, int], ...]
    classes: tuple[str, ...]
    left_out: Mapping[str, int]  # {reason: count}


class Parts(NamedTuple):
    """The training and test images of a folder; `test` is None if it is not split."""

    train: Labelled
    test: Labelled | None


def unlabelled(path: Path) -> Listing:
    """All images below a folder, at any depth, ordered by their paths.

    Hidden and system files are left out, and all without the ending of an image.

    Raises:
      ValueError: no such folder, or no image in it.
    """
    folder = _existing(path)
    listing = listings.below(folder)
    if not listing.files:
        raise ValueError(_no_images(folder, listing.left_out))
    return listing


def files_by_class(path: Path, classes: Sequence[str] | None = None) -> Labelled:
    """All images stored as `<class>/<file>`; the splits of a folder are joined.

    Classes are numbered as in `classes`, by default by their sorted names. A class
    without images is left out.

    Raises:
      ValueError: no such folder, a folder without images, or a class not in `classes`.
    """
    folder = _existing(path)
    splits, left_out = _splits(folder)
    return _by_class(folder, list(splits.values()) or [folder], classes, left_out)


def parts(path: Path) -> Parts:
    """The images stored as `<split>/<class>/<file>`, or as `<class>/<file>`.

    Splits are train, val and test, in any case; SPLITS has their other names.
    Validation images are the test part if there is no test, else they join the
    training images. A single split is no split: then `test` is None.

    Raises:
      ValueError: as files_by_class; or the test part has a class that train has not.
    """
    folder = _existing(path)
    splits, left_out = _splits(folder)
    if 'train' not in splits or len(splits) == 1:
        roots = list(splits.values()) or [folder]
        return Parts(_by_class(folder, roots, None, left_out), None)
    test = splits.pop('test' if 'test' in splits else 'val')
    train = _by_class(folder, list(splits.values()), None, left_out)
    return Parts(train, _by_class(test, [test], train.classes, {}))


def from_csv(path: Path, classes: Sequence[str] | None = None) -> Labelled:
    """The images of a CSV with the columns file and label; paths are relative to it.

    Classes are numbered as in `classes`, by default by their sorted names.

    Raises:
      ValueError: no such file or column, a row without file or label, or a file with
        two labels; the message has the line.
    """
    path = pathlib.Path(path)
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:  # Excel marks UTF-8
            rows = _rows(path, csv.DictReader(file, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ValueError(f'{path}: cannot be read as CSV ({reason})') from None
    names = _numbered(path, set(rows.values()), classes)
    number = {name: i for i, name in enumerate(names)}
    items = tuple((file, number[label]) for file, label in rows.items())
    return Labelled(items, names, {})


def from_folder(
    path: Path,
    *,
    size: int | None = None,
    classes: Sequence[str] | None = None,
    skip_unreadable: bool = False,
    large_images: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Arrays:
    """Reads images stored as `<class>/<file>`, decoded to RGB (n, size, size, 3).

    Items are ordered by the SHA-256 digest of their bytes, so that neither the order
    nor anything drawn from it depends on a file's class. Warns of files and classes
    that are left out.

    Args:
      size: without it, all images must have one size.
      classes: fixes the label numbers, as in files_by_class.
      skip_unreadable, large_images, progress: as in image_files.decode_all.

    Raises:
      ValueError: as files_by_class and image_files.from_files.
    """
    listing = files_by_class(path, classes)
    listings.warn(path, listing.left_out)
    return image_files.from_files(
        listing.items,
        listing.classes,
        path,
        size=size,
        skip_unreadable=skip_unreadable,
        large_images=large_images,
        progress=progress,
    )


def _existing(path: Path) -> pathlib.Path:
    folder = pathlib.Path(path)
    if not folder.is_dir():
        kind = 'is no folder' if folder.exists() else 'there is no such folder'
        raise ValueError(f'{folder}: {kind}')
    return folder


def _classes(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        return sorted(p for p in folder.iterdir() if listings.is_class(p))
    except OSError as error:
        raise ValueError(f'{folder}: cannot be read ({error.strerror})') from None


def _splits(folder: pathlib.Path) -> tuple[dict[str, pathlib.Path], dict[str, int]]:
    """({split: folder}, what is left out); no split if the folder has classes."""
    entries = _classes(folder)
    named = [p for p in entries if p.name.lower() in SPLITS]
    divided = [p for p in named if _classes(p)]
    if not named or (len(entries) == 1 and not divided):
        return {}, {}
    others = [p.name for p in entries if p not in named]
    if others or not divided:
        why = f'beside {listings.few(others)}' if others else 'without folders in them'
        warnings.warn(
            f'{folder}: {listings.few(p.name for p in named)}, {why}, are taken for '
            'classes, not for splits',
            stacklevel=4,
        )
        return {}, {}
    splits: dict[str, pathlib.Path] = {}
    for path in divided:
        first = splits.setdefault(SPLITS[path.name.lower()], path)
        if first != path:
            raise ValueError(
                f'{folder}: {first.name} and {path.name} are names of one split; '
                'join them'
            )
    rest = [p.name for p in named if p not in divided]
    return splits, {f'split without classes {name}': 1 for name in rest}


def _by_class(
    folder: pathlib.Path,
    roots: Sequence[pathlib.Path],
    classes: Sequence[str] | None,
    left_out: Mapping[str, int],
) -> Labelled:
    """The images of the class folders in all of `roots`; `folder` is for messages."""
    found: dict[str, list[pathlib.Path]] = {}
    left = collections.Counter(left_out)
    for root in roots:
        for entry in _classes(root):
            listing = listings.below(entry)
            found.setdefault(entry.name, []).extend(listing.files)
            left.update(listing.left_out)
        loose, others = listings.beside(root)
        left.update({'image in no class': loose} if loose else {})
        left.update(others)
    names = {name for name, paths in found.items() if paths}
    left.update(f'empty class {name}' for name in sorted(found.keys() - names))
    if not names:
        raise ValueError(_no_images(folder, left, '<class>/'))
    ordered = _numbered(folder, names, classes)
    items = tuple(
        (file, number)
        for number, name in enumerate(ordered)
        for file in found.get(name, ())
    )
    return Labelled(items, ordered, dict(left))


def _numbered(path, names: set[str], classes: Sequence[str] | None) -> tuple[str, ...]:
    """The classes in the order of their numbers."""
    if classes is None:
        return tuple(sorted(names))
    unknown = sorted(names.difference(classes))
    if unknown:
        raise ValueError(
            f'{path}: has the classes {unknown[: listings.NAMES]}; expected only '
            f'{list(classes)[: listings.NAMES]}'
        )
    return tuple(classes)


def _no_images(path: pathlib.Path, left_out: Mapping[str, int], form: str = '') -> str:
    if left_out.get('image in no class'):
        return (
            f'{path}: its images lie in no folder of a class; expected <class>/<file>'
        )
    what = listings.line(path, left_out)
    return (
        f'{path}: holds no images; expected {form}<file> in a format that Pillow reads '
        '(.jpg, .png, .webp, ...)' + (f'; {what}' if what else '')
    )


def _rows(path: pathlib.Path, reader: csv.DictReader) -> dict[pathlib.Path, str]:
    """{file: label} of a CSV."""
    columns = reader.fieldnames or []
    if not {'file', 'label'} <= set(columns):
        raise ValueError(
            f'{path}: its first line must name the columns file,label; it is '
            f'{",".join(columns)!r}'
        )
    rows: dict[pathlib.Path, str] = {}
    for row in reader:
        name, label = ((row[key] or '').strip() for key in ('file', 'label'))
        line = f'{path}, line {reader.line_num}'
        if not (name and label):
            raise ValueError(f'{line}: has no {"label" if name else "file"}')
        if rows.setdefault(path.parent / name, label) != label:
            raise ValueError(f'{line}: {name} has another label above')
    if not rows:
        raise ValueError(f'{path}: lists no images')
    return rows
