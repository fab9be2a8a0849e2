"""Photographs with boxes in the format of PASCAL VOC, from a folder or from TFDS.

Boxes are (k, 4) float32 x0, y0, x1, y1 in pixels, the edges of the area they cover,
counted from 0. VOC's inclusive corners, counted from 1, become xmin - 1, ymin - 1,
xmax, ymax, so that a box is x1 - x0 wide.
"""

import os
import pathlib
from collections.abc import Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np

from transfer_jax.data import files as data_files
from transfer_jax.data import images as pictures
from transfer_jax.data import voc_files

CLASSES = (
    *('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair'),
    *('cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant'),
    *('sheep', 'sofa', 'train', 'tvmonitor'),
)
# {year: splits with annotations}
PUBLISHED = {
    2007: ('train', 'val', 'trainval', 'test'),
    2012: ('train', 'val', 'trainval'),
}


class Annotated(NamedTuple):
    """Images and their boxes; every field but `classes` has one entry per image."""

    classes: tuple[str, ...]
    files: tuple[pathlib.Path, ...]
    sizes: np.ndarray  # (n, 2) height, width
    boxes: tuple[np.ndarray, ...]  # (k, 4) float32
    label: tuple[np.ndarray, ...]  # (k,) int32
    difficult: tuple[np.ndarray, ...]  # (k,) bool
    masks: tuple[pathlib.Path | None, ...]
    images: tuple[np.ndarray, ...] | None = None  # (h, w, 3), if not read from files

    def take(self, rows: Sequence[int]) -> 'Annotated':
        """The images at `rows` (m,), in that order."""
        rows = np.asarray(rows, int)
        parts = {
            name: tuple(getattr(self, name)[i] for i in rows)
            for name in ('files', 'boxes', 'label', 'difficult', 'masks')
        }
        images = self.images and tuple(self.images[i] for i in rows)
        return self._replace(**parts, sizes=self.sizes[rows], images=images)

    def load_image(self, index: int) -> np.ndarray:
        """(h, w, 3) uint8; raises ValueError if the file is no image."""
        if self.images is not None:
            return self.images[index]
        return pictures.decode(self.files[index].read_bytes(), self.files[index], None)

    def load_mask(self, index: int) -> np.ndarray:
        """(h, w) uint8 as in the file: in VOC 0 is background, 255 is no class.

        Raises:
          ValueError: the image has no mask, or the file is not a mask of classes.
        """
        from PIL import Image

        path = self.masks[index]
        if path is None:
            raise ValueError(f'{self.files[index]}: has no mask of classes')
        with Image.open(path) as file:
            if file.mode not in ('P', 'L', '1'):
                raise ValueError(f'{path}: a mask of mode {file.mode}, not of classes')
            return np.array(file, np.uint8)


def read(
    folder: str | os.PathLike,
    split: str | None = None,
    classes: Sequence[str] | None = None,
    min_side: int = 1,
    *,
    lenient: bool = False,
) -> Annotated:
    """JPEGImages, Annotations and masks of SegmentationClass, in the order of names.

    Args:
      split: a file of ImageSets/Main; by default the images of all these files.
      classes: the names in the order of the labels; by default those in the
        annotations, sorted.
      min_side: the smallest allowed side of an image, in pixels.
      lenient: mend what other tools write, with one warning that counts it. Boxes up to
        one pixel outside their image are cut at its edge: corners counted from 0, and
        rounded ones. (In a file whose corners all count from 0, the other boxes still
        begin one pixel too early.) An empty or unspecified `difficult` is 0. Images
        without an annotation or without a file are left out.

    Raises:
      ValueError: the message names the file: it is missing, has a name that is no
        class, a box that is empty or outside its image, a size other than that of its
        annotation or mask, or a side below `min_side`; and whether `lenient` helps.
    """
    root = pathlib.Path(folder)
    mended = voc_files.Mended(lenient)
    names = voc_files.names(root, split)
    names = [name for name in names if not mended.leaves_out(root, name)]
    paths = [voc_files.image(root, name) for name in names]
    sizes = [voc_files.size(path) for path in paths]
    annotations = [root / 'Annotations' / f'{name}.xml' for name in names]
    entries = [
        mended.clipped(voc_files.annotation(path, mended), size)
        for path, size in zip(annotations, sizes, strict=True)
    ]
    if classes is None:
        classes = sorted({name for entry in entries for name in entry.names})
    masks = []
    for name, path, entry, size in zip(names, paths, entries, sizes, strict=True):
        voc_files.check(entry, path, size, classes, min_side)
        mask = root / 'SegmentationClass' / f'{name}.png'
        masks.append(mask if mask.is_file() else None)
        if masks[-1] and (mask_size := voc_files.size(mask)) != size:
            raise ValueError(f'{mask}: a mask {mask_size} for an image {size}')
    mended.warn(root)
    return Annotated(
        classes=tuple(classes),
        files=tuple(paths),
        sizes=np.array(sizes, np.int64).reshape(-1, 2),
        boxes=tuple(entry.boxes for entry in entries),
        label=tuple(
            np.array([classes.index(name) for name in entry.names], np.int32)
            for entry in entries
        ),
        difficult=tuple(entry.difficult for entry in entries),
        masks=tuple(masks),
    )


def published(
    year: int,
    split: str,
    data_dir: str | os.PathLike | None = None,
    *,
    lenient: bool = False,
) -> Annotated:
    """PASCAL VOC as published (Everingham et al., IJCV 2010 and 2015), 20 classes.

    The folder VOCdevkit/VOC2007 or VOCdevkit/VOC2012 of the development kit; the test
    images of 2007 are unpacked into the same folder. Classes are in the published
    order, in every split. The annotations of the test set of 2012 are not published.

    Args:
      year: 2007 or 2012.
      split: train, val, trainval, or test of 2007.
      lenient: as in `read`.

    Raises:
      MissingData: the set is not in the data folder.
      ValueError: another year or split, with the choices; and the errors of `read`.
    """
    if year not in PUBLISHED:
        raise ValueError(f'voc{year}: choose from voc2007, voc2012')
    data_files.check_split(f'voc{year}', PUBLISHED[year], split)
    paths = data_files.locate(f'voc{year}', data_files.data_dirs(data_dir))
    return read(paths[0].parents[1], split, CLASSES, lenient=lenient)


def splits(folder: str | os.PathLike) -> list[str]:
    """The splits of ImageSets/Main, without the lists of a class such as cat_train.

    Raises:
      ValueError: the folder has no ImageSets/Main.
    """
    return voc_files.splits(pathlib.Path(folder))


def fruit(
    split: str | None = None, data_dir: str | os.PathLike | None = None
) -> Annotated:
    """The photographs of fruit_voc, of a split or all; raises MissingData."""
    paths = data_files.locate('fruit_voc', data_files.data_dirs(data_dir))
    return read(paths[0].parents[1], split)


def from_tfds(source: Sequence[dict[str, Any]], classes: Sequence[str]) -> Annotated:
    """Reads tfds.data_source('voc/2007', split=...), with the images in memory.

    Its boxes are VOC's corners, counted from 1, divided by the size of the image.

    Args:
      classes: the names of the labels, such as info.features['labels'].names.
    """
    items = [source[i] for i in range(len(source))]
    images = [np.asarray(item['image'], np.uint8) for item in items]
    boxes, label, difficult, names = [], [], [], []
    for i, (item, image) in enumerate(zip(items, images, strict=True)):
        height, width = image.shape[:2]
        objects = item['objects']  # arrays over the objects
        label.append(np.asarray(objects['label'], np.int32).reshape(-1))
        relative = np.asarray(objects['bbox'], np.float64).reshape(-1, 4)
        corners = (relative * [height, width, height, width])[:, [1, 0, 3, 2]]
        corners = np.maximum(corners - [1, 1, 0, 0], 0)
        boxes.append(np.round(corners, 3).astype(np.float32))  # float32 in the source
        difficult.append(np.asarray(objects['is_difficult'], bool).reshape(-1))
        name = item.get('image/filename', f'{i}')
        names.append(name.decode() if isinstance(name, bytes) else str(name))
        if not set(label[-1].tolist()) <= set(range(len(classes))):
            raise ValueError(f'{names[-1]}: a label is not in 0..{len(classes) - 1}')
    return _in_memory(classes, names, images, boxes, label, difficult)


def fake(n: int, seed: int = 0) -> Annotated:
    """Generated images in memory: one or two red, green or blue patches on noise."""
    images, boxes, label = [], [], []
    for index in range(n):
        rng = np.random.default_rng([seed, index])
        height, width = rng.integers(60, 100, 2)
        image = rng.integers(0, 120, (height, width, 3)).astype(np.uint8)
        label.append(rng.integers(3, size=rng.integers(1, 3)).astype(np.int32))
        side = rng.integers(20, 40, (len(label[-1]), 2))
        low = rng.integers(0, [width, height] - side + 1)
        boxes.append(np.concatenate([low, low + side], 1).astype(np.float32))
        corners = boxes[-1].astype(int)
        for channel, (x0, y0, x1, y1) in zip(label[-1], corners, strict=True):
            image[y0:y1, x0:x1] = rng.integers(0, 60, 3)
            image[y0:y1, x0:x1, channel] += 180
        images.append(image)
    names = [f'fake_{index}' for index in range(n)]
    difficult = [np.zeros(len(image_label), bool) for image_label in label]
    return _in_memory(('red', 'green', 'blue'), names, images, boxes, label, difficult)


def square_images(annotated: Annotated, size: int) -> np.ndarray:
    """(n, size, size, 3) uint8: the images, each stretched bilinearly to a square."""

    def square(index):
        if annotated.images is not None:
            return pictures.resize(annotated.images[index][None], size)[0]
        path = annotated.files[index]
        return pictures.decode(path.read_bytes(), path, size)

    with futures.ThreadPoolExecutor() as pool:
        made = list(pool.map(square, range(len(annotated.files))))
    return np.array(made, np.uint8).reshape(-1, size, size, 3)


def scaled_boxes(annotated: Annotated, size: int) -> tuple[np.ndarray, ...]:
    """The boxes (k, 4) of each image, in pixels of `square_images`."""
    sides = np.tile(annotated.sizes[:, ::-1], 2)
    pairs = zip(annotated.boxes, sides, strict=True)
    return tuple(np.float32(boxes * (size / side)) for boxes, side in pairs)


def multi_hot(annotated: Annotated) -> np.ndarray:
    """(n, c) int32: 1 where the image contains the class, else 0.

    -1 where all its instances of the class are difficult: VOC's classification task
    ignores such an image for that class.
    """
    label = np.zeros((len(annotated.files), len(annotated.classes)), np.int32)
    for i, image_label in enumerate(annotated.label):
        label[i, image_label] = -1
        label[i, image_label[~annotated.difficult[i]]] = 1
    return label


def _in_memory(classes, names, images, boxes, label, difficult) -> Annotated:
    return Annotated(
        classes=tuple(classes),
        files=tuple(map(pathlib.Path, names)),
        sizes=np.array([image.shape[:2] for image in images], np.int64).reshape(-1, 2),
        boxes=tuple(boxes),
        label=tuple(label),
        difficult=tuple(difficult),
        masks=(None,) * len(images),
        images=tuple(images),
    )
