"""PASCAL VOC 2012 Action: what a person does, given the box of the person.

The layout of the development kit (VOCdevkit/VOC2012): a line of
ImageSets/Action/jumping_train.txt is an image, the number of an object in its
annotation, counted from 1, and 1 or -1. These lists are the truth of VOC's own
evaluation, an average precision for each of ten actions over persons. A person may do
several. 'other', as in the annotations, is a person who does none of the ten.
"""

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np

from transfer_jax.data import files, image_files, images, listings, voc, voc_files

ACTIONS = (
    *('jumping', 'phoning', 'playinginstrument', 'reading', 'ridingbike'),
    *('ridinghorse', 'running', 'takingphoto', 'usingcomputer', 'walking'),
)
CLASSES = (*ACTIONS, 'other')
SPLITS = ('train', 'val', 'trainval')


@dataclasses.dataclass(frozen=True, eq=False)
class People:
    """A source with an item for each person: {'image', 'label' (11,) int32}.

    With `crop`, the image is the box of the person, enlarged by this factor about its
    centre and cut at the edges of the image; without, it is the whole image.
    """

    files: tuple[pathlib.Path, ...]
    objects: np.ndarray  # (n,) number of the person in the annotation, from 1
    sizes: np.ndarray  # (n, 2) height, width of the whole image
    boxes: np.ndarray  # (n, 4) float32 x0, y0, x1, y1, as in `voc`
    label: np.ndarray  # (n, 11) int32, 1 for what the person does, -1 for unknown
    crop: float | None = None
    classes: tuple[str, ...] = CLASSES

    def __post_init__(self):
        if self.crop is not None and not self.crop > 0:
            raise ValueError(f'crop {self.crop}: a factor must be positive')

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {'image': self.load_image(index), 'label': self.label[index]}

    def load_image(self, index: int) -> np.ndarray:
        """(h, w, 3) uint8, of the person or whole."""
        path = self.files[index]
        image = images.decode(image_files.read_bytes(path), path, None)
        if self.crop is None:
            return image
        x0, y0, x1, y1 = self.window(index)
        return image[y0:y1, x0:x1]

    def window(self, index: int) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of the part of the image that an item shows, in pixels."""
        height, width = self.sizes[index].tolist()
        if self.crop is None:
            return 0, 0, width, height
        x0, y0, x1, y1 = self.boxes[index].tolist()
        right, down = (x1 - x0) * (self.crop - 1) / 2, (y1 - y0) * (self.crop - 1) / 2
        left, top = (max(0, int(np.floor(v))) for v in (x0 - right, y0 - down))
        end, bottom = int(np.ceil(x1 + right)), int(np.ceil(y1 + down))
        return left, top, min(width, end), min(height, bottom)


def published(
    split: str, data_dir: str | os.PathLike | None = None, crop: float | None = None
) -> People:
    """The persons of a split, in the order of images and objects.

    Args:
      split: train, val or trainval; the labels of test are not published.

    Raises:
      MissingData: the set is not in the data folder.
      ValueError: another split, with the choices; and the errors of `read`.
    """
    files.check_split('voc2012_action', SPLITS, split)
    paths = files.locate('voc2012_action', files.data_dirs(data_dir))
    return read(paths[0].parents[1], split, crop)


def read(folder: str | os.PathLike, split: str, crop: float | None = None) -> People:
    """The persons that the lists of a split name, with the boxes of their annotations.

    Small faults of annotations are mended with a warning, as `voc.read` does with
    `lenient`.

    Raises:
      ValueError: the message names the file: a list, image or annotation is missing, a
        line is of another form, the lists name different persons, or an object is no
        person.
    """
    root = pathlib.Path(folder)
    choices = voc_files.splits(root, 'Action')
    if split not in choices:
        raise ValueError(
            f'{root}: split {split!r}: choose from {", ".join(choices)} of Action'
        )
    people, signs = _persons(root, split)
    does = np.array([[sign[person] for sign in signs] for person in people], np.int32)
    does = does.reshape(-1, len(ACTIONS))
    label = np.select([does > 0, does == 0], [1, -1], 0)
    other = np.where((label < 0).any(1), -1, 1) * ~(label > 0).any(1)
    mended = voc_files.Mended(lenient=True)
    boxes, sizes, paths, entries = [], [], [], {}
    for name, number in people:
        if name not in entries:
            entries[name] = _entry(root, name, mended)
        path, size, entry = entries[name]
        if not 1 <= number <= len(entry.names) or entry.names[number - 1] != 'person':
            raise ValueError(
                f'{entry.path}: object {number} is no person, but the lists of Action '
                f'for {split} name it'
            )
        paths.append(path)
        sizes.append(size)
        boxes.append(entry.boxes[number - 1])
    mended.warn(root)
    return People(
        files=tuple(paths),
        objects=np.array([number for _, number in people], np.int64),
        sizes=np.array(sizes, np.int64).reshape(-1, 2),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        label=np.concatenate([label, other[:, None]], 1).astype(np.int32),
        crop=crop,
    )


def by_image(people: People) -> voc.Annotated:
    """The images with the actions of all their persons, for training on whole images.

    A box is that of a person, once for each action. An image in which nobody does one
    of the ten actions has no boxes.
    """
    rows: dict[pathlib.Path, list[int]] = {}
    for i, path in enumerate(people.files):
        rows.setdefault(path, []).append(i)
    ten = people.label[:, : len(ACTIONS)]
    pairs = [np.argwhere(ten[own] > 0) for own in rows.values()]
    owners = [np.array(own) for own in rows.values()]
    label = tuple(found[:, 1].astype(np.int32) for found in pairs)
    return voc.Annotated(
        classes=ACTIONS,
        files=tuple(rows),
        sizes=people.sizes[[own[0] for own in rows.values()]],
        boxes=tuple(
            people.boxes[own[found[:, 0]]]
            for own, found in zip(owners, pairs, strict=True)
        ),
        label=label,
        difficult=tuple(np.zeros(len(entries), bool) for entries in label),
        masks=(None,) * len(rows),
    )


def _persons(root, split):
    """The persons [(image, number)], and {person: 1, 0 or -1} for each action."""
    signs = [_signs(root / f'ImageSets/Action/{a}_{split}.txt') for a in ACTIONS]
    for action, sign in zip(ACTIONS, signs, strict=True):
        if differ := sorted(sign.keys() ^ signs[0].keys()):
            names = listings.few(f'{name} {number}' for name, number in differ)
            raise ValueError(
                f'{root}: {action}_{split}.txt and {ACTIONS[0]}_{split}.txt do not '
                f'list the same persons: {names}'
            )
    return sorted(signs[0]), signs


def _signs(path):
    if not path.is_file():
        raise ValueError(f'{path}: is missing')
    signs = {}
    for line in path.read_text().splitlines():
        if not line.strip():
            continue
        parts = line.split()
        if len(parts) != 3 or not parts[1].isdigit() or parts[2] not in _SIGNS:
            raise ValueError(
                f'{path}: {line.strip()!r} is not an image, the number of a person, '
                'and 1 or -1'
            )
        signs[parts[0], int(parts[1])] = int(parts[2])
    return signs


def _entry(root, name, mended):
    """(path, size, annotation) of an image."""
    path = root / 'JPEGImages' / f'{name}.jpg'
    annotation = root / 'Annotations' / f'{name}.xml'
    for file in (path, annotation):
        if not file.is_file():
            raise ValueError(f'{file}: is missing, but a list of Action names it')
    size = voc_files.size(path)
    entry = mended.clipped(voc_files.annotation(annotation, mended), size)
    voc_files.check(entry, path, size, voc.CLASSES, 1)
    return path, size, entry


_SIGNS = ('1', '-1', '0')
