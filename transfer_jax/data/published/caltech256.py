"""Caltech-256, photographs of objects (Griffin, Holub and Perona, 2007)."""

import pathlib

from transfer_jax.data import listed
from transfer_jax.data.listed import Listed

CLUTTER = '257.clutter'  # images of no class
PER_CLASS = 60  # training images of a class in Zeiler and Fergus (ECCV 2014)


def read(anchor: pathlib.Path) -> Listed:
    """The images `256_ObjectCategories/001.ak47/001_0001.jpg` of all but the clutter.

    Classes have the names of their folders. Other files in these (a folder of copies in
    056.dog) are left out. There is no published split.
    """
    root = anchor.parent
    names, items = listed.by_folder(root, pattern='[0-9][0-9][0-9]_*.jpg')
    classes = tuple(name for name in names if name != CLUTTER)
    kept = tuple(
        (file, classes.index(file.parent.name))
        for file, _ in items
        if file.parent.name != CLUTTER
    )
    return Listed('caltech256', classes, kept, None, root)


draw = listed.per_class(PER_CLASS)
