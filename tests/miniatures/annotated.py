"""Tiny sets of photographs with boxes, in the published layouts, below a data folder.

An object is a patch of the colour of its class on grey noise, so that a few steps of
training can learn something.
"""

import json
import pathlib
import zlib

import numpy as np
from PIL import Image

# Name of an image: (width, height), objects (class, difficult, x0, y0, x1, y1), where
# boxes are edges counted from 0.
Objects = list[tuple[str, int, int, int, int, int]]
Photos = dict[str, tuple[tuple[int, int], Objects]]

COLOURS = {
    'cat': (200, 40, 40),
    'dog': (40, 200, 40),
    'person': (40, 40, 200),
    'aeroplane': (200, 200, 40),
}
ACTIONS = (
    *('jumping', 'phoning', 'playinginstrument', 'reading', 'ridingbike'),
    *('ridinghorse', 'running', 'takingphoto', 'usingcomputer', 'walking'),
)

VOC_TRAIN: Photos = {
    '000005': ((64, 48), [('cat', 0, 4, 8, 34, 40), ('person', 0, 40, 10, 60, 44)]),
    '000007': ((48, 64), [('dog', 0, 10, 20, 40, 60), ('dog', 1, 0, 0, 6, 6)]),
    '000009': ((80, 60), [('person', 0, 20, 5, 50, 58)]),
    '000012': ((64, 64), [('cat', 0, 8, 8, 50, 50), ('person', 1, 52, 0, 64, 20)]),
    '000016': ((60, 48), [('dog', 0, 12, 6, 50, 42)]),
    '000017': ((56, 72), [('person', 0, 6, 10, 48, 70)]),
    '000019': ((72, 56), [('cat', 0, 20, 12, 60, 50)]),
    '000020': ((48, 48), [('dog', 0, 4, 4, 40, 44), ('cat', 0, 36, 30, 48, 48)]),
}
VOC_VAL: Photos = {
    '000021': ((64, 48), [('cat', 0, 10, 6, 44, 44)]),
    '000023': ((48, 64), [('dog', 0, 6, 20, 44, 60)]),
    '000024': ((80, 60), [('person', 0, 30, 4, 60, 56), ('dog', 0, 2, 30, 26, 58)]),
    '000026': ((64, 64), [('person', 0, 12, 8, 44, 60)]),
}
VOC_TEST: Photos = {
    '000001': ((48, 64), [('dog', 0, 7, 23, 45, 60), ('person', 0, 1, 1, 30, 40)]),
    '000002': ((64, 48), [('cat', 0, 13, 9, 50, 40)]),
    '000003': ((72, 64), [('person', 0, 22, 7, 48, 60)]),
    '000004': ((64, 60), [('dog', 0, 9, 9, 52, 50), ('cat', 1, 0, 50, 8, 60)]),
}
# image: [(box, actions)]
PEOPLE_TRAIN = {
    '2010_000001': [((10, 8, 34, 60), ('walking', 'phoning'))],
    '2010_000002': [((4, 6, 30, 60), ('running',)), ((40, 6, 60, 60), ())],
    '2010_000003': [((12, 10, 44, 58), ('jumping',))],
    '2010_000004': [((20, 8, 50, 60), ('running',))],
    '2010_000005': [((8, 4, 40, 56), ('walking',))],
    '2010_000006': [((16, 10, 48, 60), ('jumping', 'running'))],
}
PEOPLE_VAL = {
    '2010_000011': [((10, 8, 40, 60), ('walking',))],
    '2010_000012': [((14, 8, 46, 60), ('running',))],
    '2010_000013': [((12, 6, 44, 58), ('jumping',))],
    '2010_000014': [((10, 8, 42, 60), ('phoning',)), ((44, 8, 64, 60), ('running',))],
}


def voc2007(root: pathlib.Path) -> None:
    """VOCdevkit/VOC2007 with trainval and test, and the lists of two classes."""
    folder = root / 'VOCdevkit' / 'VOC2007'
    _voc(folder, {'train': VOC_TRAIN, 'val': VOC_VAL, 'test': VOC_TEST})


def voc2012(root: pathlib.Path) -> None:
    """VOCdevkit/VOC2012 with train and val, under names of 2012."""
    parts = {
        split: {f'2009_{name}': content for name, content in photos.items()}
        for split, photos in (('train', VOC_TRAIN), ('val', VOC_VAL))
    }
    _voc(root / 'VOCdevkit' / 'VOC2012', parts)


def voc2012_action(root: pathlib.Path) -> None:
    """ImageSets/Action of VOCdevkit/VOC2012, whose object 1 is a horse in one image."""
    folder = root / 'VOCdevkit' / 'VOC2012'
    people = {'train': PEOPLE_TRAIN, 'val': PEOPLE_VAL}
    people['trainval'] = {**PEOPLE_TRAIN, **PEOPLE_VAL}
    (folder / 'ImageSets' / 'Action').mkdir(parents=True, exist_ok=True)
    for split, images in people.items():
        _lines(folder / f'ImageSets/Action/{split}.txt', images)
        for action in ACTIONS:
            lines = [
                f'{name} {number + _before(name)} {1 if action in actions else -1}'
                for name, persons in images.items()
                for number, (_, actions) in enumerate(persons)
            ]
            _lines(folder / f'ImageSets/Action/{action}_{split}.txt', lines)
    for name, persons in people['trainval'].items():
        objects = [('horse', 0, 2, 2, 20, 20)] * (_before(name) - 1)
        objects += [('person', 0, *box) for box, _ in persons]
        actions = [None] * (_before(name) - 1) + [done for _, done in persons]
        _photo(folder / 'JPEGImages' / f'{name}.jpg', (64, 64), objects)
        _annotation(folder / 'Annotations' / f'{name}.xml', (64, 64), objects, actions)


def coco2014(root: pathlib.Path) -> None:
    """coco/annotations/instances_*2014.json, coco/train2014 and coco/val2014."""
    _coco(root / 'coco', 2014, 'COCO_{split}2014_{id:012d}.jpg')


def coco2017(root: pathlib.Path) -> None:
    """coco/annotations/instances_*2017.json, coco/train2017 and coco/val2017."""
    _coco(root / 'coco', 2017, '{id:012d}.jpg')


def _before(name):
    """Number of the first person in an annotation."""
    return 2 if name == '2010_000003' else 1


def _voc(folder, parts):
    (folder / 'ImageSets' / 'Main').mkdir(parents=True, exist_ok=True)
    lists = {**parts, 'trainval': {**parts['train'], **parts['val']}}
    for split, photos in lists.items():
        _lines(folder / f'ImageSets/Main/{split}.txt', photos)
        for name in ('cat', 'dog'):  # of each class there is a list
            signs = [_sign(name, objects) for _, objects in photos.values()]
            lines = [f'{n} {s:2d}' for n, s in zip(photos, signs, strict=True)]
            _lines(folder / f'ImageSets/Main/{name}_{split}.txt', lines)
    for photos in parts.values():
        for name, (size, objects) in photos.items():
            _photo(folder / 'JPEGImages' / f'{name}.jpg', size, objects)
            _annotation(folder / 'Annotations' / f'{name}.xml', size, objects)


def _sign(name, objects):
    """1: an object of the class; 0: difficult ones alone; -1: none."""
    flags = [difficult for found, difficult, *_ in objects if found == name]
    return -1 if not flags else int(not all(flags))


def _lines(path, lines):
    path.write_text(''.join(f'{line}\n' for line in lines))


def _photo(path, size, objects):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(path.name.encode()))
    image = rng.integers(90, 160, (size[1], size[0], 3)).astype(np.uint8)
    for name, _, x0, y0, x1, y1 in objects:
        image[y0:y1, x0:x1] = COLOURS.get(name, (200, 40, 200))
    Image.fromarray(image).save(path, quality=95)


def _annotation(path, size, objects, actions=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = []
    for i, (name, difficult, x0, y0, x1, y1) in enumerate(objects):
        done = ''
        if actions and actions[i] is not None:
            flags = ((a, int(a in actions[i])) for a in ACTIONS)
            done = ''.join(f'<{a}>{flag}</{a}>' for a, flag in flags)
            done = f'<actions>{done}<other>{int(not actions[i])}</other></actions>'
        entries.append(
            f'<object><name>{name}</name>{done}<bndbox><xmax>{x1}</xmax>'
            f'<xmin>{x0 + 1}</xmin><ymax>{y1}</ymax><ymin>{y0 + 1}</ymin></bndbox>'
            f'<difficult>{difficult}</difficult></object>'
        )
    path.write_text(
        f'<annotation><size><width>{size[0]}</width><height>{size[1]}</height>'
        f'<depth>3</depth></size>{"".join(entries)}</annotation>'
    )


# Ids of categories have gaps, and are not listed in their order.
CATEGORIES = {1: 'person', 17: 'cat', 18: 'dog', 90: 'toothbrush'}


def _coco(folder, year, pattern):
    numbers = {'person': 1, 'cat': 17, 'dog': 18}
    for split, photos in (('train', VOC_TRAIN), ('val', VOC_TEST)):
        images, annotations = [], []
        for name, (size, objects) in reversed(photos.items()):
            file = pattern.format(split=split, id=int(name))
            _photo(folder / f'{split}{year}' / file, size, objects)
            images.append(_coco_image(int(name), file, size))
            for kind, crowd, x0, y0, x1, y1 in objects:
                box = [x0, y0, x1 - x0, y1 - y0]
                entry = _coco_object(len(annotations) + 1, int(name), box, crowd)
                annotations.append({**entry, 'category_id': numbers[kind]})
        file = pattern.format(split=split, id=999)  # without objects
        _photo(folder / f'{split}{year}' / file, (50, 48), [])
        images.append(_coco_image(999, file, (50, 48)))
        content = {
            'info': {'year': year},
            'images': images,
            'annotations': annotations,
            'categories': [
                {'supercategory': 'any', 'id': i, 'name': name}
                for i, name in reversed(CATEGORIES.items())
            ],
        }
        (folder / 'annotations').mkdir(exist_ok=True)
        path = folder / 'annotations' / f'instances_{split}{year}.json'
        path.write_text(json.dumps(content))


def _coco_image(number, file, size):
    return {
        'license': 1,
        'file_name': file,
        'height': size[1],
        'width': size[0],
        'id': number,
    }


def _coco_object(number, image, box, crowd):
    x, y, w, h = box
    polygon = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    return {
        'segmentation': {'counts': [3, 4], 'size': [h, w]} if crowd else polygon,
        'area': w * h,
        'iscrowd': crowd,
        'image_id': image,
        'bbox': box,
        'id': number,
    }
