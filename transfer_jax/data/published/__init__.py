"""Published sets for classification, by name; a reader for each."""

import os
import pathlib
from collections.abc import Callable
from typing import NamedTuple

from transfer_jax.data import files, listed
from transfer_jax.data.listed import Listed, Progress
from transfer_jax.data.published import (
    caltech256,
    cub200,
    domainnet,
    flowers102,
    imagenet,
    mit67,
    office,
    scene15,
    visda2017,
)

SIZE = 224  # usual side of their images


class Published(NamedTuple):
    """A published set, and how it is read."""

    description: str
    classes: int  # as published
    read: Callable[[pathlib.Path], Listed]  # of the first path of its layout
    # How it is split where the publisher has no split.
    draw: Callable[[Listed, Progress | None], Listed] = listed.cut


SETS = {
    'caltech256': Published(
        'photographs of objects', 256, caltech256.read, caltech256.draw
    ),
    'flowers102': Published('photographs of flowers', 102, flowers102.read),
    'cub200': Published('photographs of birds', 200, cub200.read),
    'mit67': Published('photographs of rooms', 67, mit67.read),
    'scene15': Published('photographs of scenes', 15, scene15.read, scene15.draw),
    'imagenet': Published('photographs of ILSVRC 2012', 1000, imagenet.read),
    **{
        f'office31_{name}': Published(
            description, 31, office.reader(f'office31_{name}')
        )
        for name, description in zip(
            office.OFFICE31,
            ('objects of a shop', 'objects in an office', 'the same by a webcam'),
            strict=True,
        )
    },
    **{
        f'officehome_{name}': Published(
            'objects of home and office', 65, office.reader(f'officehome_{name}')
        )
        for name in office.OFFICE_HOME
    },
    **{
        f'visda2017_{part}': Published(
            description, 12, visda2017.reader(f'visda2017_{part}')
        )
        for part, description in zip(
            visda2017.PARTS, ('rendered objects', 'photographs of COCO'), strict=True
        )
    },
    **{
        f'domainnet_{name}': Published(
            'pictures of 345 kinds of things', 345, domainnet.reader(name)
        )
        for name in domainnet.DOMAINS
    },
}


def load(
    name: str, dirs: tuple[pathlib.Path, ...], progress: Progress | None = None
) -> Listed:
    """The list of a set of SETS, with its two parts.

    Where there is no published split, the files are read once for their digests, which
    order the draw; `progress` is called with the number of files read so far.

    Raises:
      MissingData: the set is not in the data folder.
      ValueError: its lists or folders are not as published; one line.
    """
    entry = SETS[name]
    try:
        whole = entry.read(files.locate(name, dirs)[0])
        if whole.test is None:
            whole = entry.draw(whole, progress)
    except OSError as error:
        where = error.filename or name
        raise ValueError(
            f'{where}: cannot be read ({error.strerror or error})'
        ) from None
    return listed.checked(whole)


def count_classes(name: str, data_dir: str | os.PathLike | None = None) -> int:
    """Classes of a set in the data folder, or as published if it is not there."""
    found = files.find(name, files.data_dirs(data_dir))
    return len(SETS[name].read(found[0]).classes) if found else SETS[name].classes
