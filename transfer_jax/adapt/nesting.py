"""Folders around the class folders: one is stepped into, several are pointed out."""

import pathlib

from transfer_jax.data import folders, listings


def unwrapped(path: pathlib.Path) -> tuple[pathlib.Path, folders.Labelled]:
    """The labelled images of a folder, or of the one folder in it that holds folders.

    An archive is often unpacked into a folder of its own.
    """
    found = folders.files_by_class(path)
    if len(found.classes) > 1:
        return path, found
    below = path / found.classes[0]
    if not below.is_dir() or any(file.parent == below for file, _ in found.items):
        return path, found
    inner = unwrapped(below)
    return inner if len(inner[1].classes) > 1 else (path, found)


def note(path: pathlib.Path, found: folders.Labelled) -> str:
    """A line for a user if all classes hold folders of the same names; else ''."""
    if not path.is_dir() or len(found.classes) < 2:
        return ''
    below: dict[int, set[str]] = {}
    for file, label in found.items:
        parts = file.relative_to(path).parts
        where = parts.index(found.classes[label]) + 1
        if where == len(parts) - 1:
            return ''  # an image lies in the folder of its class
        below.setdefault(label, set()).add(parts[where])
    shared = set.intersection(*below.values())
    if len(shared) < 2:
        return ''
    return (
        f'{path}: the classes are {listings.few(found.classes)}; each has the folders '
        f'{listings.few(sorted(shared))}, which are joined. If those are the classes, '
        f'give {path / found.classes[0]}'
    )
