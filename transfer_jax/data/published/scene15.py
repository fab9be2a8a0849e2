"""Fifteen scene categories (Lazebnik, Schmid and Ponce, CVPR 2006)."""

import pathlib

from transfer_jax.data import listed
from transfer_jax.data.listed import Listed

PER_CLASS = 100  # training images of a class in the paper, drawn at random


def read(anchor: pathlib.Path) -> Listed:
    """The images `<class>/image_0001.jpg` of scene_categories.zip.

    There is no published split.
    """
    root = anchor.parent
    classes, items = listed.by_folder(root, pattern='image_*.jpg')
    return Listed('scene15', classes, items, None, root)


draw = listed.per_class(PER_CLASS)
