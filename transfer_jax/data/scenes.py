"""Composite scenes: objects pasted on cluttered photographs, with boxes and masks.

The objects of a scene, their positions and their pixels are known. A scene is a pure
function of (seed, index). Objects are views of COIL-100, digits, or generated shapes;
photographs are those of BSDS500 or scikit-learn, or generated textures. The parts
'train' and 'test' share no view, digit or photograph.
"""

import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax.data import digits, files, images, mnist

PARTS = ('train', 'test')
VISIBLE = 0.6  # share of an object that must stay visible
TRIES = 100  # positions to draw for an object
DARK, GREY = 42, 16  # the background of COIL-100: highest channel, span of channels


class Sprite(NamedTuple):
    """An object: a picture and its mask."""

    image: np.ndarray  # (h, w, 3) uint8
    mask: np.ndarray  # (h, w), from 0 (outside the object) to 1, or bool


class Scene(NamedTuple):
    """One image and its objects, in the order in which they were pasted."""

    image: np.ndarray  # (side, side, 3) uint8
    boxes: np.ndarray  # (k, 4) float32 x0, y0, x1, y1, of the visible parts
    label: np.ndarray  # (k,) int32
    mask: np.ndarray  # (side, side) uint8, class + 1, 0 for the photograph


class Scenes(NamedTuple):
    """n scenes; `label` marks the classes of an image, `labels` the class of a box."""

    image: np.ndarray  # (n, side, side, 3) uint8
    label: np.ndarray  # (n, c) int32, 1 where the class is present, else 0
    boxes: tuple[np.ndarray, ...]  # (k, 4) float32
    labels: tuple[np.ndarray, ...]  # (k,) int32
    mask: np.ndarray  # (n, side, side) uint8


Photos = Sequence[np.ndarray]
Sprites = Sequence[Sequence[Sprite]]  # of each class


def scene(
    rng: np.random.Generator,
    photos: Photos,
    sprites: Sprites,
    *,
    side: int = 320,
    count: tuple[int, int] = (2, 5),
    size: tuple[int, int] = (40, 80),
) -> Scene:
    """Objects of random classes on a random crop of a random photograph.

    Later objects cover earlier ones. A position is drawn again if it would leave less
    than 60 % of an earlier object visible; an object is left out after 100 such draws.
    A photograph smaller than the scene is enlarged.

    Args:
      count: smallest and largest number of objects.
      size: smallest and largest longer side of an object, in pixels.

    Raises:
      ValueError: no photographs, a class without sprites, or an invalid range.
    """
    _check(photos, sprites, side, count, size)
    image = _crop(rng, photos[rng.integers(len(photos))], side).astype(np.float32)
    owner = np.full((side, side), -1)
    label, areas = [], []  # areas in pixels, before others cover them
    for _ in range(rng.integers(count[0], count[1], endpoint=True)):
        kind = int(rng.integers(len(sprites)))
        sprite = sprites[kind][rng.integers(len(sprites[kind]))]
        pasted, alpha = _resized(sprite, rng.integers(*size, endpoint=True))
        height, width = alpha.shape
        for _ in range(TRIES):
            top, left = rng.integers(0, [side - height + 1, side - width + 1])
            at = np.s_[top : top + height, left : left + width]
            trial = owner.copy()
            trial[at][alpha >= 0.5] = len(label)
            left_over = np.bincount(trial[trial >= 0], minlength=len(label) + 1)
            if left_over[-1] and all(left_over[:-1] >= VISIBLE * np.array(areas)):
                break
        else:
            continue
        owner = trial
        label.append(kind)
        areas.append(left_over[-1])
        image[at] += alpha[..., None] * (pasted - image[at])
    return Scene(
        np.rint(image).astype(np.uint8),
        np.array([_box(owner == i) for i in range(len(label))], np.float32),
        np.array(label, np.int32),
        np.append(np.array(label, np.uint8) + 1, np.uint8(0))[owner],
    )


def scenes(
    n: int,
    seed: int,
    photos: Photos,
    sprites: Sprites,
    *,
    side: int = 320,
    count: tuple[int, int] = (2, 5),
    size: tuple[int, int] = (40, 80),
) -> Scenes:
    """n >= 1 scenes; the generator of `scene` i is seeded with (seed, i)."""
    made = [
        scene(rng, photos, sprites, side=side, count=count, size=size)
        for rng in (np.random.default_rng([seed, i]) for i in range(n))
    ]
    image, boxes, labels, mask = zip(*made, strict=True)
    present = [np.bincount(kinds, minlength=len(sprites)) > 0 for kinds in labels]
    return Scenes(np.stack(image), np.int32(present), boxes, labels, np.stack(mask))


def bsds_photos(part: str, data_dir: str | os.PathLike | None = None) -> Photos:
    """The BSDS500 training photographs; every fourth is for 'test'.

    Raises:
      MissingData: they are not in the data folder; `digits.photos(part)` needs none.
    """
    number = _number(part)
    paths = files.locate('bsds500', files.data_dirs(data_dir))
    return [_picture(path) for i, path in enumerate(paths) if (i % 4 == 3) == number]


def generated_photos(n: int, seed: int, part: str = 'train') -> Photos:
    """n textures (360, 480, 3): noise of several scales, with ellipses, bars, lines."""
    from PIL import Image, ImageDraw

    made = []
    for index in range(n):
        rng = np.random.default_rng([seed, _number(part), index])
        texture = np.zeros((360, 480, 3), np.float32)
        for cell in (120, 40, 12, 4):
            noise = rng.integers(0, 256, (360 // cell, 480 // cell, 3), np.uint8)
            large = Image.fromarray(noise).resize((480, 360), Image.Resampling.BICUBIC)
            texture += np.asarray(large, np.float32) / 4
        picture = Image.fromarray(texture.astype(np.uint8))
        draw = ImageDraw.Draw(picture)
        for kind in rng.integers(3, size=40):
            x, y, width, height = rng.integers(0, [480, 360, 90, 90])
            colour = tuple(rng.integers(30, 200, 3).tolist())
            paint = (draw.ellipse, draw.rectangle, draw.line)[kind]
            paint((x, y, x + width, y + height), fill=colour)
        made.append(np.asarray(picture))
    return made


def generated_sprites(classes: int, seed: int, part: str = 'train') -> Sprites:
    """8 rotated polygons of each class: 3, 4, ... corners, and one hue per class."""
    from PIL import Image, ImageDraw

    made = []
    for kind in range(classes):
        rng = np.random.default_rng([seed, _number(part), kind])
        polygons = []
        for turn in rng.uniform(0, 2 * np.pi, 8):
            angle = turn + 2 * np.pi * np.arange(3 + kind) / (3 + kind)
            corners = 48 + 44 * np.stack([np.cos(angle), np.sin(angle)], 1)
            mask = Image.new('L', (96, 96))
            ImageDraw.Draw(mask).polygon([tuple(c) for c in corners.tolist()], 255)
            colour = _bright(kind / classes) * rng.uniform(0.7, 1.0, (96, 96, 1))
            polygons.append(Sprite(colour.astype(np.uint8), np.asarray(mask) / 255))
        made.append(polygons)
    return made


def coil_sprites(
    part: str, objects: int = 10, data_dir: str | os.PathLike | None = None
) -> Sprites:
    """The first objects of COIL-100 by number; every second view is for 'test'.

    Raises:
      MissingData: they are not in the data folder.
      ValueError: there are fewer objects.
    """
    number = _number(part)
    paths = files.locate('coil100', files.data_dirs(data_dir))
    views: dict[int, list] = {}
    for path in paths:
        name, degrees = path.stem.removeprefix('obj').split('__')
        pictures = views.setdefault(int(name), [])
        if int(degrees) // 15 % 2 == number:
            pictures.append(_picture(path))
    if not 1 <= objects <= len(views):
        raise ValueError(f'objects {objects}: must be 1 to {len(views)}')
    first = [views[name] for name in sorted(views)[:objects]]
    return [[Sprite(image, foreground(image)) for image in views] for views in first]


def digit_sprites(
    part: str,
    seed: int = 0,
    per_class: int = 80,
    data_dir: str | os.PathLike | None = None,
    *,
    embedded: bool = False,
) -> Sprites:
    """Ten classes of digits in bright colours drawn by `seed`; the ink is the mask.

    The first `per_class` of each class of MNIST's part, or of `embedded` digits.

    Raises:
      MissingData: MNIST is not in the data folder, without `embedded`.
    """
    number, dirs = _number(part), files.data_dirs(data_dir)
    domain = digits.digits(28) if embedded else mnist.mnist(28, dirs)
    source = domain.test if number else domain.train
    rng = np.random.default_rng([seed, number])
    made = [[] for _ in domain.classes]
    for image, kind in zip(source.image[..., 0], source.label, strict=True):
        if len(made[kind]) < per_class:
            colour = np.full((28, 28, 3), _bright(rng.random()), np.uint8)
            made[kind].append(Sprite(colour, image / 255))
    return made


def foreground(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) on dark grey -> (h, w) bool: the largest other region, holes filled."""
    from scipy import ndimage

    smooth = ndimage.median_filter(image, (3, 3, 1)).astype(int)
    highest = smooth.max(-1)
    bright = (highest > DARK) | (highest - smooth.min(-1) > GREY)
    closed = ndimage.binary_closing(np.pad(bright, 8), np.ones((3, 3)), iterations=4)
    parts, count = ndimage.label(ndimage.binary_fill_holes(closed))
    if not count:
        raise ValueError('an image without a foreground')
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    return largest[8:-8, 8:-8]


def _resized(sprite: Sprite, longer: int) -> tuple[np.ndarray, np.ndarray]:
    """The cropped object (h, w, 3) and alpha (h, w), with longer side `longer`."""
    from PIL import Image

    alpha = np.rint(255 * np.asarray(sprite.mask, np.float32)).astype(np.uint8)
    x0, y0, x1, y1 = _box(alpha > 0)
    pixels = np.dstack([sprite.image, alpha])[y0:y1, x0:x1]
    scale = longer / max(x1 - x0, y1 - y0)
    size = [max(1, round(length * scale)) for length in (x1 - x0, y1 - y0)]
    # Pillow weights RGBA colours by alpha, so the background leaves no dark seam.
    picture = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(picture, np.float32)
    return pixels[..., :3], pixels[..., 3] / 255


def _crop(rng: np.random.Generator, photo: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    scale = side / min(photo.shape[:2])
    if scale > 1:
        size = [round(length * scale) for length in photo.shape[1::-1]]
        photo = np.asarray(
            Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR)
        )
    top, left = rng.integers(0, np.array(photo.shape[:2]) - side + 1)
    return photo[top : top + side, left : left + side]


def _box(inside: np.ndarray) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 around the pixels of a mask (h, w)."""
    rows, columns = np.nonzero(inside)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def _bright(hue: float) -> np.ndarray:
    """(3,) the saturated colour of a hue in [0, 1)."""
    return 255 * np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0.1, 1)


def _picture(path: pathlib.Path) -> np.ndarray:
    return images.decode(path.read_bytes(), path, None)


def _number(part: str) -> int:
    if part not in PARTS:
        raise ValueError(f'part {part!r}: choose from {", ".join(PARTS)}')
    return PARTS.index(part)


def _check(photos, sprites, side, count, size):
    if not len(photos) or not len(sprites) or not all(len(kind) for kind in sprites):
        raise ValueError('a scene needs photographs, and a sprite of every class')
    if not 1 <= count[0] <= count[1]:
        raise ValueError(f'count {count}: must be a range of at least 1 object')
    if not 4 <= size[0] <= size[1] <= side:
        raise ValueError(f'size {size}: must be a range from 4 to the side, {side}')
