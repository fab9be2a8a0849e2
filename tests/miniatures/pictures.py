"""Small photographs of a class: its colour and stripes, with noise of their own."""

import pathlib
import zlib

import numpy as np
from PIL import Image


def draw(name: str, label: int, size: tuple[int, int] | None = None) -> Image.Image:
    """A picture of (width, height), 40 to 64 by default; a function of its name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    width, height = size or tuple(int(side) for side in rng.integers(40, 65, 2))
    colour = np.random.default_rng(label).integers(40, 216, 3)
    columns = np.arange(width) + rng.integers(8)
    stripes = 30 * np.sin(2 * np.pi * columns / (6 + 3 * (label % 5)))
    image = colour + stripes[None, :, None] + rng.normal(0, 8, (height, width, 3))
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


def save(path: pathlib.Path, label: int, size: tuple[int, int] | None = None) -> None:
    """Writes the picture of the last two parts of a path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(f'{path.parent.name}/{path.name}', label, size).save(path)
