"""Oxford flowers 102 (Nilsback and Zisserman, ICVGIP 2008)."""

import pathlib

import numpy as np

from transfer_jax.data import lists
from transfer_jax.data.listed import Items, Listed


def read(anchor: pathlib.Path) -> Listed:
    """The published split: `trnid` and `valid` of setid.mat train, `tstid` the test.

    Image number i, from 1, is `jpg/image_0000i.jpg`, and its label is entry i of
    `labels` in imagelabels.mat, from 1. The files name no classes, so they are named by
    these numbers.

    Raises:
      ValueError: a variable is missing, a label is below 1, or an id has no label or no
        file.
    """
    root = anchor.parent
    labels = lists.variable(root / 'imagelabels.mat', 'labels').ravel().astype(int)
    if labels.size and labels.min() < 1:
        raise ValueError(
            f'{root / "imagelabels.mat"}: labels begin with 1, but one is 0'
        )
    classes = tuple(str(i) for i in range(1, labels.max(initial=0) + 1))
    train = _part(anchor, labels, 'trnid') + _part(anchor, labels, 'valid')
    return Listed('flowers102', classes, train, _part(anchor, labels, 'tstid'), root)


def _part(setid: pathlib.Path, labels: np.ndarray, name: str) -> Items:
    ids = lists.variable(setid, name).ravel().astype(int)
    outside = ids[(ids < 1) | (ids > len(labels))]
    if outside.size:
        raise ValueError(
            f'{setid}: {name} has the image {outside[0]}, but imagelabels.mat has '
            f'{len(labels)} labels'
        )
    items = [
        (setid.parent / 'jpg' / f'image_{i:05d}.jpg', int(labels[i - 1]) - 1)
        for i in ids
    ]
    return lists.existing(items, setid)
