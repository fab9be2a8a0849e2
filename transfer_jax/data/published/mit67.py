"""MIT indoor scenes, 67 classes (Quattoni and Torralba, CVPR 2009)."""

import pathlib

from transfer_jax.data import lists
from transfer_jax.data.listed import Items, Listed


def read(anchor: pathlib.Path) -> Listed:
    """The published split: TrainImages.txt and TestImages.txt list `<class>/<file>`.

    The images lie in `Images`; those of neither list are left out. Classes are numbered
    by their sorted names.

    Raises:
      ValueError: a line without a class, a class of the test that has no training
        image, or a file that is not there.
    """
    root = anchor.parent
    train, test = (lists.lines(root / f'{s}Images.txt') for s in ('Train', 'Test'))
    classes = tuple(sorted({line.partition('/')[0] for line in train}))
    return Listed(
        'mit67',
        classes,
        _items(anchor, train, classes),
        _items(root / 'TestImages.txt', test, classes),
        root,
    )


def _items(path: pathlib.Path, names: list[str], classes: tuple[str, ...]) -> Items:
    number = {name: i for i, name in enumerate(classes)}
    items = []
    for name in names:
        folder, _, file = name.partition('/')
        if not file:
            raise ValueError(f'{path}: {name!r} is not <class>/<file>')
        if folder not in number:
            raise ValueError(f'{path}: no training image has the class {folder}')
        items.append((path.parent / 'Images' / name, number[folder]))
    return lists.existing(items, path)
