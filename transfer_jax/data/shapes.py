"""Image files at their own aspect ratios: few shapes, decoded a batch at a time.

A program is compiled for each shape of its input. The longest side of an image becomes
`size`, and the other is rounded to a multiple of STEP, so that a set of any size has
few shapes. Files are decoded when their batch is due; memory holds a few batches.
"""

import concurrent.futures
import functools
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax.data import image_files, images, in_order, listings, voc_files

STEP = 32  # pixels; sides other than the longest are multiples of it
LEAST = 64  # pixels; no side becomes shorter, unless `size` is

Shape = tuple[int, int]  # height, width


class Picture(NamedTuple):
    """A file, or the part of it inside a box x0, y0, x1, y1 in pixels."""

    path: pathlib.Path
    box: tuple[float, float, float, float] | None = None


def shape_of(
    whole: Shape, size: int, box: tuple[float, ...] | None = None, *, square: bool
) -> Shape:
    """(height, width) of a picture for the network.

    Args:
      whole: (height, width) of the file.
      size: the longest side of the whole image; a box is scaled as its image is.
        Smaller images are not enlarged, but for the rounding.
      square: (size, size) for every picture instead.
    """
    if square:
        return size, size
    scale = min(1.0, size / max(whole))
    x0, y0, x1, y1 = box or (0, 0, *whole[::-1])
    sides = scale * (y1 - y0), scale * (x1 - x0)
    least = min(LEAST, size)

    def rounded(side):
        if round(side) >= size:
            return size
        return min(size, max(least, STEP * round(side / STEP)))

    return rounded(sides[0]), rounded(sides[1])


def by_shape(
    pictures: Sequence[Picture], size: int, *, square: bool
) -> dict[Shape, np.ndarray]:
    """{shape: numbers of its pictures (m,)}, from the headers of the files.

    Raises:
      ValueError: files that are no images, or a box outside its image; the message
        names all of them, up to listings.NAMES.
    """

    def shape(picture):
        try:
            whole = voc_files.size(picture.path)
            _inside(picture, whole)
        except ValueError as error:
            return error
        return shape_of(whole, size, picture.box, square=square)

    with _threads() as pool:
        shapes = list(pool.map(shape, pictures))
    errors = [str(error) for error in shapes if isinstance(error, ValueError)]
    if errors:
        raise ValueError('; '.join(errors[: listings.NAMES]))
    groups: dict[Shape, list[int]] = {}
    for i, one in enumerate(shapes):
        groups.setdefault(one, []).append(i)
    return {one: np.array(groups[one]) for one in sorted(groups)}


def batches(
    pictures: Sequence[Picture], shape: Shape, batch_size: int
) -> in_order.Batches:
    """'image' (b, h, w, 3) uint8 of all pictures in order, and 'mask' (b,).

    The last batch is padded with the last picture, as by data.batches.
    """
    n = len(pictures)

    def batch(index):
        rows = np.arange(index * batch_size, (index + 1) * batch_size)
        due = [pictures[i] for i in rows if i < n]
        with _threads() as pool:
            read = list(pool.map(functools.partial(decode, shape=shape), due))
        read += read[-1:] * (batch_size - len(due))
        return {'image': np.stack(read), 'mask': (rows < n).astype(np.float32)}

    return in_order.Batches(-(-n // batch_size), batch)


def decode(picture: Picture, shape: Shape) -> np.ndarray:
    """(h, w, 3) uint8: the picture, resized bilinearly.

    Raises:
      ValueError: the file is damaged, or the box is outside the image.
    """
    from PIL import Image

    path = picture.path
    whole = images.decode(image_files.read_bytes(path), path, None)
    box = _inside(picture, whole.shape[:2])
    resized = Image.fromarray(whole).resize(
        shape[::-1], Image.Resampling.BILINEAR, box=box
    )
    return np.asarray(resized)


def _inside(picture: Picture, whole: Shape) -> tuple[float, ...]:
    """The part of the box that is inside the image."""
    height, width = whole
    if picture.box is None:
        return 0, 0, width, height
    x0, y0, x1, y1 = picture.box
    box = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if box[0] >= box[2] or box[1] >= box[3]:
        raise ValueError(
            f'{picture.path}: the box {picture.box} is outside the image, which has '
            f'{width} x {height} pixels'
        )
    return box


def _threads():
    return concurrent.futures.ThreadPoolExecutor(image_files.THREADS)
