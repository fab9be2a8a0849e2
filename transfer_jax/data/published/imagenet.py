"""ImageNet, the classification set of ILSVRC 2012 (Russakovsky et al., IJCV 2015)."""

import collections
import pathlib

from transfer_jax.data import listed, listings, lists
from transfer_jax.data.listed import Items, Listed

ZOOM = 256 / 224  # the margin of the usual evaluation
# Files of names: LOC_synset_mapping.txt is Kaggle's, synset_words.txt Caffe's, and
# words.txt WordNet's; all have lines of a WordNet id and words.
NAMES = ('LOC_synset_mapping.txt', 'synset_words.txt', 'words.txt')


def read(anchor: pathlib.Path) -> Listed:
    """The folder train/<wnid>/*.JPEG, and val, which is the test part.

    Classes are numbered by their sorted WordNet ids, as the weights of torchvision,
    Keras and Caffe number them; the devkit's own numbers (ILSVRC2012_ID) are others.
    val has folders of the same ids, or all images directly; then val.txt beside it has
    lines 'ILSVRC2012_val_00000001.JPEG 65' with these numbers or with ids, or
    LOC_val_solution.csv is there. A class has its words as a name if one of NAMES is
    there, else its id.

    Raises:
      ValueError: val has neither folders nor a list, or a class is unknown or has no
        name.
    """
    root = anchor.parent
    ids, train = listed.by_folder(anchor)
    val = root / 'val'
    if any(listings.is_class(path) for path in val.iterdir()):
        test = listed.by_folder(val, ids)[1]
    else:
        test = _flat(val, ids)
    return Listed('imagenet', _names(root, ids), train, test, root, ZOOM)


def _flat(val: pathlib.Path, ids: tuple[str, ...]) -> Items:
    """The items of a folder without classes, by its list."""
    number = {name: i for i, name in enumerate(ids)}
    path = _beside(val.parent, 'val.txt')
    if path is not None:
        pairs = [line.split() for line in lists.lines(path)]
        pairs = [(pathlib.Path(pair[0]).name, pair[-1]) for pair in pairs]
    else:
        path = _beside(val.parent, 'LOC_val_solution.csv')
        if path is None:
            raise ValueError(
                f'{val}: has no folders of classes, and there is no val.txt and no '
                'LOC_val_solution.csv with the classes of its images'
            )
        rows = [line.partition(',') for line in lists.lines(path)[1:]]
        pairs = [(f'{file}.JPEG', boxes.split()[0]) for file, _, boxes in rows]
    items = []
    for file, label in pairs:
        known = number.get(label, int(label) if label.isdecimal() else -1)
        if not 0 <= known < len(ids):
            raise ValueError(
                f'{path}: {file} has the class {label}; the {len(ids)} classes are '
                f'0..{len(ids) - 1}, {ids[0]}..{ids[-1]}'
            )
        items.append((val / file, known))
    return lists.existing(items, path)


def _names(root: pathlib.Path, ids: tuple[str, ...]) -> tuple[str, ...]:
    """The words of each class, with its id where two classes have the same words."""
    path = next((p for p in (_beside(root, name) for name in NAMES) if p), None)
    if path is None:
        return ids
    pairs = [line.split(maxsplit=1) for line in lists.lines(path)]
    words = {pair[0]: pair[-1] for pair in pairs}
    unnamed = [name for name in ids if name not in words]
    if unnamed:
        raise ValueError(
            f'{path}: names {len(words)} classes, but {len(unnamed)} of the '
            f'{len(ids)} in train are not among them, such as {unnamed[0]}'
        )
    count = collections.Counter(words[name] for name in ids)
    return tuple(
        f'{words[name]} ({name})' if count[words[name]] > 1 else words[name]
        for name in ids
    )


def _beside(root: pathlib.Path, name: str) -> pathlib.Path | None:
    """A file of the root, or of the folder above Kaggle's ILSVRC/Data/CLS-LOC."""
    roots = [root, *(root.parents[2:3] if root.name == 'CLS-LOC' else ())]
    return next((r / name for r in roots if (r / name).is_file()), None)
