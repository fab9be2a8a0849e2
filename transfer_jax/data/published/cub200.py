"""Caltech-UCSD Birds 200-2011 (Wah et al., 2011)."""

import pathlib

from transfer_jax.data import lists
from transfer_jax.data.listed import Listed


def read(anchor: pathlib.Path) -> Listed:
    """The published split: 1 in train_test_split.txt is for training, 0 for the test.

    images.txt, image_class_labels.txt and train_test_split.txt have a line
    'id value' for each image; classes.txt names the classes, from 1.

    Raises:
      ValueError: the lists have other ids than images.txt, a class that classes.txt
        does not have, another value than 0 and 1, or a file that is not there.
    """
    root = anchor.parent
    files = lists.by_id(anchor)
    label = _of_images(root / 'image_class_labels.txt', files)
    split = _of_images(root / 'train_test_split.txt', files)
    names = lists.by_id(root / 'classes.txt')
    if sorted(names) != list(range(1, len(names) + 1)):
        raise ValueError(
            f'{root / "classes.txt"}: its {len(names)} classes are not numbered from 1'
        )
    highest = max(label.values())
    if highest > len(names) or min(label.values()) < 1:
        raise ValueError(
            f'{root / "classes.txt"}: names {len(names)} classes, but '
            f'image_class_labels.txt has {min(label.values())}..{highest}'
        )
    wrong = [value for value in split.values() if value not in (0, 1)]
    if wrong:
        raise ValueError(
            f'{root / "train_test_split.txt"}: has the value {wrong[0]}, not 0 or 1'
        )
    parts = []
    for part in (1, 0):
        items = [
            (root / 'images' / name, label[i] - 1)
            for i, name in files.items()
            if split[i] == part
        ]
        parts.append(lists.existing(items, anchor))
    classes = tuple(names[i] for i in range(1, len(names) + 1))
    return Listed('cub200', classes, *parts, root)


def _of_images(path: pathlib.Path, files: dict[int, str]) -> dict[int, int]:
    """{id: number}, for the ids of images.txt."""
    found = lists.by_id(path)
    if found.keys() != files.keys():
        raise ValueError(
            f'{path}: has {len(found)} images, but images.txt has {len(files)}'
            if len(found) != len(files)
            else f'{path}: has other ids than images.txt'
        )
    wrong = [text for text in found.values() if not text.isdecimal()]
    if wrong:
        raise ValueError(f'{path}: {wrong[0]!r} is no number')
    return {i: int(text) for i, text in found.items()}
