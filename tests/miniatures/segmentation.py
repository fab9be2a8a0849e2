"""Tiny sets with the class of each pixel, in the published layouts.

The classes of an image lie in bands of their colours, so that a few steps of training
can learn something.
"""

import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

VOC_TRAIN = ('2007_000032', '2007_000039', '2007_000063', '2007_000068')
VOC_VAL = ('2007_000033', '2007_000042', '2007_000061', '2007_000123')
VOC_MORE = ('2008_000002', '2008_000003', '2008_000007', '2008_000008')  # of SBD
CITIES = {'train': ('aachen', 'bochum'), 'val': ('frankfurt', 'munster')}

# Ids of the files, of five bands from top to bottom: sky, building, car, road, void.
STREET = (23, 11, 26, 7, 0)
SYNTHIA = (1, 2, 8, 3, 22)
COLOURS = ((70, 130, 180), (90, 90, 90), (20, 20, 150), (130, 60, 130), (10, 10, 10))


def voc2012_segmentation(root: pathlib.Path) -> None:
    """Segmentation of VOCdevkit/VOC2012; trainaug has the train images and four more.

    An image holds background 0, one of the classes 1, 8 and 15, and a border of 255.
    """
    folder = root / 'VOCdevkit' / 'VOC2012'
    (folder / 'ImageSets' / 'Segmentation').mkdir(parents=True, exist_ok=True)
    train = (*VOC_TRAIN, '2007_000121', '2007_000129')
    more = (*train, *VOC_MORE)
    lists = {'train': train, 'val': VOC_VAL, 'trainval': (*train, *VOC_VAL)}
    for split, names in {**lists, 'trainaug': more}.items():
        path = folder / 'ImageSets' / 'Segmentation' / f'{split}.txt'
        path.write_text(''.join(f'{name}\n' for name in names))
    for number, name in enumerate((*more, *VOC_VAL)):
        size = ((64, 48), (48, 64), (72, 56))[number % 3]
        label = np.zeros((size[1], size[0]), np.uint8)
        label[8:40, 10:40] = 255
        label[10:38, 12:38] = (1, 8, 15)[number % 3]
        colours = {0: (120, 120, 120), 1: (200, 200, 40), 8: (200, 40, 40)}
        image = _noisy(label, {**colours, 15: (40, 40, 200), 255: (160,) * 3}, number)
        _save(folder / 'JPEGImages' / f'{name}.jpg', image)
        if name not in VOC_MORE:
            _save(folder / 'SegmentationClass' / f'{name}.png', label, palette=True)
        if name not in VOC_VAL:
            _save(folder / 'SegmentationClassAug' / f'{name}.png', label)


def cityscapes(root: pathlib.Path) -> None:
    """cityscapes/leftImg8bit and gtFine, train and val, with two cities each."""
    folder = root / 'cityscapes'
    for split, cities in CITIES.items():
        for city in cities:
            for number in range(4 if split == 'train' else 2):
                name = f'{city}_{number:06d}_000019'
                label = _bands(STREET, (48, 80), number)
                image = _noisy(label, dict(zip(STREET, COLOURS, strict=True)), number)
                image_folder = folder / 'leftImg8bit' / split / city
                _save(image_folder / f'{name}_leftImg8bit.png', image)
                mask = folder / 'gtFine' / split / city / f'{name}_gtFine_labelIds.png'
                _save(mask, label)


def gta5(root: pathlib.Path) -> None:
    """gta5/images and gta5/labels, eight frames with palettes."""
    for number in range(1, 9):
        label = _bands(STREET, (48, 72), number)
        image = _noisy(label, dict(zip(STREET, COLOURS, strict=True)), 100 + number)
        _save(root / 'gta5' / 'images' / f'{number:05d}.png', image // 2 + 60)
        _save(root / 'gta5' / 'labels' / f'{number:05d}.png', label, palette=True)


def synthia(root: pathlib.Path) -> None:
    """synthia/RGB and synthia/GT/LABELS, eight frames; the masks have 16 bits."""
    for number in range(8):
        label = _bands(SYNTHIA, (48, 72), number)
        image = _noisy(label, dict(zip(SYNTHIA, COLOURS, strict=True)), 200 + number)
        _save(root / 'synthia' / 'RGB' / f'{number:07d}.png', 255 - image // 2)
        objects = np.where(label == 8, 300 + number, 0)  # numbers of cars
        path = root / 'synthia' / 'GT' / 'LABELS' / f'{number:07d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        channels = np.stack([label, objects, np.zeros_like(objects)], -1)
        path.write_bytes(png16(channels, colour=2))


def png16(array: np.ndarray, colour: int) -> bytes:
    """A PNG of (h, w, c) with 16 bits, which Pillow does not write.

    Args:
      colour: PNG's type: 0 grey, 2 RGB, 4 grey and transparency, 6 RGB and that.
    """
    height, width, channels = array.shape
    step = 2 * channels
    rows = array.astype('>u2').reshape(height, -1).view(np.uint8).astype(int)
    lines = []
    for y, row in enumerate(rows):
        above = rows[y - 1] if y else np.zeros_like(row)
        left, corner = (np.r_[np.zeros(step, int), x[:-step]] for x in (row, above))
        kind = y % 5  # each of PNG's filters in turn
        guess = left + above - corner
        away = np.stack([abs(guess - x) for x in (left, above, corner)])
        paeth = np.choose(away.argmin(0), [left, above, corner])
        predicted = [0, left, above, (left + above) // 2, paeth][kind]
        lines.append(
            bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes()
        )

    def chunk(name, content):
        check = zlib.crc32(name + content)
        return (
            struct.pack('>I', len(content)) + name + content + struct.pack('>I', check)
        )

    header = struct.pack('>IIBBBBB', width, height, 16, colour, 0, 0, 0)
    parts = (
        (b'IHDR', header),
        (b'IDAT', zlib.compress(b''.join(lines))),
        (b'IEND', b''),
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunk(*part) for part in parts)


def _bands(ids, shape, shift):
    """(h, w) uint8: a band of rows for each id, moved down a little by `shift`."""
    rows = (np.arange(shape[0]) + 2 * (shift % 3)) * len(ids) // (shape[0] + 6)
    return np.repeat(np.uint8(ids)[rows][:, None], shape[1], 1)


def _noisy(label, colours, seed):
    """(h, w, 3) uint8: the colour of each pixel's id, with noise."""
    table = np.zeros((256, 3), int)
    for number, colour in colours.items():
        table[number] = colour
    noise = np.random.default_rng(seed).integers(-20, 20, (*label.shape, 3))
    return (table[label] + noise).clip(0, 255).astype(np.uint8)


def _save(path, array, palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(array)
    if palette:
        picture.putpalette([255 - value // 3 for value in range(768)])
    picture.save(path, **({'quality': 95} if path.suffix == '.jpg' else {}))
