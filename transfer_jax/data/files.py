"""Paths of data sets on disk, and the message for a missing one."""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Sequence

from transfer_jax.data.known import KNOWN

DEFAULT_DIR = '~/tensorflow_datasets'
VARIABLE = 'TRANSFER_JAX_DATA'


class MissingData(ValueError):
    """A data set is not in the data folder; the message says how to get it."""


def data_dirs(data_dir: str | os.PathLike | None = None) -> tuple[pathlib.Path, ...]:
    """The folders to search: the argument, else $TRANSFER_JAX_DATA, else the default.

    Each may hold several folders, separated as in PATH.
    """
    text = os.fspath(data_dir) if data_dir else os.environ.get(VARIABLE)
    parts = (text or DEFAULT_DIR).split(os.pathsep)
    return tuple(pathlib.Path(part).expanduser() for part in parts if part)


@contextlib.contextmanager
def searched(data_dir: str | os.PathLike | None) -> Iterator[None]:
    """Within it, and in processes started there, the default folders are these.

    What looks into the data folder before a run begins, for the classes of a domain or
    a network's config.json, then sees the folders of --data-dir.
    """
    before = os.environ.get(VARIABLE)
    if data_dir:
        os.environ[VARIABLE] = os.fspath(data_dir)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


def find(name: str, dirs: tuple[pathlib.Path, ...]) -> list[pathlib.Path]:
    """The paths of the first complete layout of a known set, [] if there is none.

    A pattern contributes all paths that match it.
    """
    for layout in KNOWN[name].layouts:
        for folder in dirs:
            matches = [sorted(folder.glob(pattern)) for pattern in layout]
            if all(matches):
                return [path for paths in matches for path in paths]
    return []


def locate(name: str, dirs: tuple[pathlib.Path, ...]) -> list[pathlib.Path]:
    """As `find`, but raises MissingData if the set is missing."""
    paths = find(name, dirs)
    if not paths:
        raise MissingData(missing(name, dirs))
    return paths


def present(name: str, dirs: tuple[pathlib.Path, ...]) -> bool:
    """Whether `find` would find the set; stops at the first file of each pattern."""
    return any(
        all(any(True for _ in folder.glob(pattern)) for pattern in layout)
        for layout in KNOWN[name].layouts
        for folder in dirs
    )


def check_split(name: str, choices: Sequence[str], split: str) -> None:
    """Raises ValueError, with the choices, if a set has no such split with labels."""
    if split not in choices:
        hidden = '; its labels are not published' if split == 'test' else ''
        raise ValueError(
            f'{name}: no split {split!r}{hidden}; choose from {", ".join(choices)}'
        )


def folder(name: str) -> str:
    """The folder of a known set under the data folder."""
    return KNOWN[name].layouts[0][0].split('/')[0] + '/'


def missing(name: str, dirs: tuple[pathlib.Path, ...]) -> str:
    """The message for a missing set: its origin, expected layout and preparation."""
    data_set = KNOWN[name]
    command = f'python -m experiments.data prepare {name}'
    if data_set.unpacked:
        command += f' --from FOLDER   (a folder with {data_set.unpacked})'
    layouts = '\n  or '.join(', '.join(layout) for layout in data_set.layouts)
    last = '' if data_set.as_published else f'\n  Prepare it: {command}'
    return (
        f'{name} is missing: {data_set.description}.\n'
        f'  Get it from: {data_set.origin}.\n'
        f'  Expected: {layouts}\n'
        f'  under: {", ".join(str(folder) for folder in dirs)} (--data-dir, else '
        f'${VARIABLE}, else {DEFAULT_DIR}){last}'
    )
