"""The files of a folder in the format of PASCAL VOC: lists, annotations, images."""

import os
import pathlib
import warnings
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

SUFFIXES = ('.jpg', '.jpeg', '.png')
SLACK = 1.0  # pixels outside the image that a lenient reader cuts off
UNSPECIFIED = ('', 'unspecified')  # a `difficult` of some tools
LENIENT = 'lenient=True'


class Entry(NamedTuple):
    """The content of an annotation."""

    path: pathlib.Path
    size: tuple[int, int]  # height, width; 0 if not given
    names: list[str]
    boxes: np.ndarray
    difficult: np.ndarray


class Mended:
    """What a lenient reader changed; a strict one changes nothing."""

    def __init__(self, lenient: bool):
        self.lenient = lenient
        self._boxes: list[str] = []
        self._flags: list[str] = []
        self._without: list[str] = []

    def leaves_out(self, root: pathlib.Path, name: str) -> bool:
        """Whether the image is left out, because it or its annotation is missing."""
        annotated = (root / 'Annotations' / f'{name}.xml').is_file()
        if not self.lenient or (annotated and _image(root, name) is not None):
            return False
        self._without.append(name)
        return True

    def flag(self, path: pathlib.Path, text: str | None) -> int:
        """The number of a `difficult`, which is 0 where it is absent."""
        text = '0' if text is None else text.strip()
        if text in ('0', '1'):
            return int(text)
        if text.lower() not in UNSPECIFIED:
            raise ValueError(f'{path}: difficult is {text!r}, not 0 or 1')
        if not self.lenient:
            raise ValueError(
                f'{path}: difficult is {text!r}, not 0 or 1; {LENIENT} reads it as 0'
            )
        self._flags.append(path.name)
        return 0

    def clipped(self, entry: Entry, size: tuple[int, int]) -> Entry:
        """The entry, with boxes up to a pixel outside the image cut at its edge."""
        if not self.lenient:
            return entry
        sides = np.float32([size[1], size[0]] * 2)
        boxes = entry.boxes.clip(0, sides)
        changed = np.any(boxes != entry.boxes, 1)
        far = np.any(np.abs(boxes - entry.boxes) > SLACK, 1)
        self._boxes += [entry.path.name] * int(np.sum(changed & ~far))
        return entry._replace(boxes=np.where(far[:, None], entry.boxes, boxes))

    def warn(self, root: pathlib.Path) -> None:
        """One warning for all that was changed."""
        parts = (
            (
                self._boxes,
                'boxes up to a pixel outside their image were cut at its edge',
            ),
            (self._flags, 'unspecified `difficult` were read as 0'),
            (self._without, 'images without an annotation or a file were left out'),
        )
        lines = [f'{len(x)} {what} (first: {x[0]})' for x, what in parts if x]
        if lines:
            warnings.warn(f'{root}: ' + '; '.join(lines), stacklevel=3)


def splits(root: pathlib.Path, task: str = 'Main') -> list[str]:
    """The splits of ImageSets/`task`, without the lists of a class.

    aeroplane_train.txt is the list of a class, because train.txt is there too.
    """
    stems = {path.stem for path in _lists(root, task)}
    return sorted(s for s in stems if s.rpartition('_')[2] not in stems - {s})


def names(root: pathlib.Path, split: str | None) -> list[str]:
    """The names of the images of a split, or of all."""
    lists = _lists(root, 'Main')
    if split is not None:
        lists = [path for path in lists if path.stem == split]
        if not lists:
            choices = ', '.join(splits(root))
            raise ValueError(f'{root}: split {split!r}: choose from {choices}')
    lines = '\n'.join(path.read_text() for path in lists).splitlines()
    return sorted({line.split()[0] for line in lines if line.strip()})


def annotation(path: pathlib.Path, mended: Mended) -> Entry:
    """The content of an annotation file; boxes as edges counted from 0."""
    if not path.is_file():
        raise ValueError(
            f'{path}: is missing, but a list of ImageSets names its image; '
            f'{LENIENT} leaves such images out'
        )
    try:
        tree = ElementTree.fromstring(path.read_bytes())
        objects = tree.findall('object')
        names = [item.findtext('name', '').strip() for item in objects]
        corners = [
            [float(item.find('bndbox').findtext(key)) for key in _CORNERS]
            for item in objects
        ]
        size = tuple(
            int(tree.findtext(f'size/{key}', '0')) for key in ('height', 'width')
        )
    except (ElementTree.ParseError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f'{path}: not an annotation of VOC ({error})') from None
    difficult = [mended.flag(path, item.findtext('difficult')) for item in objects]
    boxes = np.array(corners, np.float32).reshape(-1, 4) - np.float32([1, 1, 0, 0])
    return Entry(path, size, names, boxes, np.array(difficult, bool))


def image(root: pathlib.Path, name: str) -> pathlib.Path:
    """The image of a name."""
    path = _image(root, name)
    if path is None:
        raise ValueError(
            f'{root / "JPEGImages" / name}.jpg: is missing, but a list of '
            f'ImageSets names it; {LENIENT} leaves such images out'
        )
    return path


def size(path: str | os.PathLike) -> tuple[int, int]:
    """(height, width) of an image file, in the orientation of `images.decode`."""
    from PIL import Image

    try:
        with Image.open(path) as file:
            turned = file.getexif().get(_ORIENTATION, 1) >= 5
            return file.size if turned else file.size[::-1]
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f'{path}: not a readable image ({error})') from None


def check(
    entry: Entry,
    path: pathlib.Path,
    size: tuple[int, int],
    classes: Sequence[str],
    min_side: int,
) -> None:
    """Raises ValueError for an entry that does not fit its image or the classes."""
    if min(size) < min_side:
        raise ValueError(f'{path}: {size}, a side is shorter than {min_side}')
    if all(entry.size) and entry.size != size:
        raise ValueError(f'{entry.path}: gives the size {entry.size}, not {size}')
    for name, box in zip(entry.names, entry.boxes, strict=True):
        if name not in classes:
            raise ValueError(
                f'{entry.path}: class {name!r}; choose from {", ".join(classes)}'
            )
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= size[1] and 0 <= y0 < y1 <= size[0]):
            raise ValueError(
                f'{entry.path}: the box of {name} at {x0 + 1:g}, {y0 + 1:g}, '
                f'{x1:g}, {y1:g} is empty or outside the image {size}, whose corners '
                f'are counted from 1' + _remedy(box, size)
            )


def _lists(root: pathlib.Path, task: str) -> list[pathlib.Path]:
    lists = sorted((root / 'ImageSets' / task).glob('*.txt'))
    if not lists:
        raise ValueError(f'{root}: has no ImageSets/{task}/*.txt')
    return lists


def _remedy(box, size) -> str:
    """That a lenient reader would cut the box, if it would."""
    sides = np.float32([size[1], size[0]] * 2)
    near = box.clip(0, sides)
    if np.any(np.abs(near - box) > SLACK) or not np.all(near[:2] < near[2:]):
        return ''
    return f'; {LENIENT} cuts boxes up to a pixel outside'


def _image(root: pathlib.Path, name: str) -> pathlib.Path | None:
    for path in (root / 'JPEGImages' / f'{name}{suffix}' for suffix in SUFFIXES):
        if path.is_file():
            return path
    return None


_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
_ORIENTATION = 0x0112  # of EXIF; 5 to 8 swap the sides
