"""MS COCO, photographs with 80 classes and boxes (Lin et al., ECCV 2014).

The layout of cocodataset.org, in one folder: annotations/instances_train2014.json,
images in train2014/COCO_train2014_000000000009.jpg; of 2017,
annotations/instances_train2017.json and train2017/000000000009.jpg.
"""

import json
import os
import pathlib
from typing import Any

import numpy as np

from transfer_jax.data import files, listings
from transfer_jax.data.voc import Annotated

YEARS = (2014, 2017)
SPLITS = ('train', 'val')


def published(
    year: int,
    split: str,
    data_dir: str | os.PathLike | None = None,
    *,
    crowd_as_object: bool = False,
) -> Annotated:
    """The images of COCO 2014 or 2017 in the order of their ids, as in `read`.

    Args:
      year: 2014 or 2017.
      split: train or val; the annotations of the test images are not published.

    Raises:
      MissingData: the set is not in the data folder.
      ValueError: another year or split, with the choices; and the errors of `read`.
    """
    if year not in YEARS:
        raise ValueError(f'coco{year}: choose from coco2014, coco2017')
    files.check_split(f'coco{year}', SPLITS, split)
    found = files.locate(f'coco{year}', files.data_dirs(data_dir))
    root = found[0].parents[1]
    return read(
        root / 'annotations' / f'instances_{split}{year}.json',
        root / f'{split}{year}',
        crowd_as_object=crowd_as_object,
    )


def read(
    annotations: str | os.PathLike,
    folder: str | os.PathLike,
    *,
    crowd_as_object: bool = False,
) -> Annotated:
    """The images that a file of instances lists, also those without objects.

    Labels number the categories in the order of their ids, which have gaps (1 to 90
    for 80 classes). Boxes [x, y, width, height], counted from 0, become x0, y0, x1, y1
    and are cut at the edges of their image; a box without area stays, as its class is
    in the image. A crowd (`iscrowd`, one box around many objects) is a difficult
    object: COCO's own evaluation ignores what falls into one, and `voc.multi_hot` gives
    -1 to a class of which an image has crowds alone.

    The file is read once, without its polygons. Image files are not opened; sizes are
    those of the file.

    Args:
      folder: holds the images under the names of the file.
      crowd_as_object: a crowd is an object like any other.

    Raises:
      ValueError: the message names the file: it is missing, is not JSON, lacks images,
        annotations or categories, names images that are not in the folder, or has an
        annotation of an unknown category or image, or a box outside its image.
    """
    path, folder = pathlib.Path(annotations), pathlib.Path(folder)
    content = _parsed(path)
    categories = {c['id']: c['name'] for c in content['categories']}
    ids = np.array(sorted(categories))
    images = sorted(content['images'])
    objects = _objects(path, content['annotations'])
    rows = _position(
        path, objects[:, _IMAGE], np.array([i[0] for i in images]), 'image'
    )
    label = _position(path, objects[:, _CATEGORY], ids, 'category', categories)
    sizes = np.array([i[2:] for i in images], np.int64).reshape(-1, 2)
    boxes = _boxes(path, objects, sizes[rows])
    difficult = (objects[:, _CROWD] > 0) & (not crowd_as_object)
    names = [i[1] for i in images]
    _check_files(path, folder, names)
    order = np.argsort(rows, kind='stable')
    ends = np.cumsum(np.bincount(rows, minlength=len(images)))[:-1]

    def by_image(values):
        return tuple(np.split(values[order], ends)) if len(images) else ()

    return Annotated(
        classes=tuple(categories[i] for i in ids.tolist()),
        files=tuple(folder / name for name in names),
        sizes=sizes,
        boxes=by_image(boxes),
        label=by_image(label.astype(np.int32)),
        difficult=by_image(difficult),
        masks=(None,) * len(images),
    )


def _parsed(path: pathlib.Path) -> dict[str, Any]:
    """The file, with images and annotations reduced to tuples as they are read."""
    if not path.is_file():
        raise ValueError(f'{path}: is missing')
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file, object_hook=_reduced)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path}: not a JSON file ({error})') from None
    for part, kind in (('categories', dict), ('images', tuple), ('annotations', tuple)):
        entries = content.get(part) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise ValueError(f'{path}: not instances of COCO, it has no {part!r}')
        if not all(isinstance(entry, kind) for entry in entries):
            raise ValueError(f'{path}: not instances of COCO, by its {part!r}')
    if not all({'id', 'name'} <= entry.keys() for entry in content['categories']):
        raise ValueError(f'{path}: a category without id or name')
    return content


def _reduced(entry: dict[str, Any]) -> dict[str, Any] | tuple:
    """An image (id, name, height, width), an annotation as numbers, or the entry."""
    try:
        if 'file_name' in entry:
            return tuple(entry[key] for key in ('id', 'file_name', 'height', 'width'))
        if 'category_id' in entry:
            numbers = (entry['id'], entry['image_id'], entry['category_id'])
            return (*numbers, entry.get('iscrowd', 0), *entry['bbox'])
    except (KeyError, TypeError):
        pass  # `_parsed` refuses an entry that is no tuple
    return entry


def _objects(path: pathlib.Path, annotations: list[tuple]) -> np.ndarray:
    """(m, 8) float64: id, image, category, crowd, x, y, width, height."""
    try:
        return np.array(annotations, np.float64).reshape(len(annotations), 8)
    except (TypeError, ValueError):
        raise ValueError(
            f'{path}: an annotation whose box is not [x, y, width, height]'
        ) from None


def _position(path, values, choices, kind, names=None):
    """(m,) values -> their positions in the sorted `choices`."""
    place = np.searchsorted(choices, values).clip(max=len(choices) - 1)
    unknown = np.ones(len(values), bool)
    if len(choices):
        unknown = choices[place] != values
    if unknown.any():
        known = ''
        if names:
            known = '; choose from ' + listings.few(
                f'{i} {n}' for i, n in names.items()
            )
        first = int(values[unknown][0])
        raise ValueError(
            f'{path}: {unknown.sum()} annotations whose {kind} the file does not list, '
            f'the first is {kind} {first}{known}'
        )
    return place


def _boxes(path, objects, sizes):
    """(m, 4) float32, cut at the edges of their images."""
    low, extent = objects[:, _BOX], objects[:, _EXTENT]
    sides = sizes[:, ::-1]
    outside = np.any((low > sides) | (low + extent < 0) | (extent < 0), 1)
    wrong = outside | ~np.isfinite(objects).all(1)
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        box = ', '.join(f'{value:g}' for value in (*low[i], *extent[i]))
        raise ValueError(
            f'{path}: the box [{box}] of annotation {objects[i, 0]:.0f} is not in its '
            f'image of {sides[i, 0]} x {sides[i, 1]} pixels'
        )
    corners = np.concatenate([low, low + extent], 1)
    return corners.clip(0, np.tile(sides, 2)).astype(np.float32)


def _check_files(path, folder, names):
    present = {entry.name for entry in os.scandir(folder)} if folder.is_dir() else set()
    lost = [name for name in names if name not in present]
    if lost:
        raise ValueError(
            f'{folder}: has not {len(lost)} of the {len(names)} images of {path.name}: '
            f'{listings.few(lost)}'
        )


_IMAGE, _CATEGORY, _CROWD = 1, 2, 3
_BOX, _EXTENT = slice(4, 6), slice(6, 8)
