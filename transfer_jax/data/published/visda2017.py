"""VisDA-2017, classification (Peng et al., 2017): renderings and photographs."""

import pathlib
from collections.abc import Callable

from transfer_jax.data import lists
from transfer_jax.data.listed import Listed

PARTS = ('train', 'validation')  # the source and the target of the challenge


def reader(name: str) -> Callable[[pathlib.Path], Listed]:
    """A reader of one part: image_list.txt has lines '<class>/<file> <label>'.

    Each part is a domain without a published split. A class has the name of the folder
    of its files. Images are stretched to a square.
    """

    def read(anchor: pathlib.Path) -> Listed:
        root = anchor.parent
        items = [(root / file, label) for file, label in lists.numbered(anchor)]
        items = lists.existing(items, anchor)
        classes = lists.classes_of(items, anchor)
        return Listed(name, classes, items, None, root, None)

    return read
