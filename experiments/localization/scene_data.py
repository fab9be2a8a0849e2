"""Composite scenes: digits and views of objects on photographs."""

import functools
from typing import NamedTuple

import numpy as np

from transfer_jax.data import scenes

SIDE = 320
COUNT, SIZE = (2, 5), (40, 80)  # objects of a scene, and their longer sides in pixels
OBJECTS = 10  # of COIL-100
SEEDS = {'train': 0, 'test': 1}


class Parts(NamedTuple):
    """Training and test scenes; they share no view, digit or photograph."""

    classes: tuple[str, ...]
    train: scenes.Scenes
    test: scenes.Scenes


def load(train: int, test: int, data_dir: str | None) -> Parts:
    """Scenes from MNIST, COIL-100 and BSDS500.

    Raises:
      MissingData: one of them is not in the data folder.
    """
    parts = {}
    for part, n in (('train', train), ('test', test)):
        sprites = [
            *scenes.digit_sprites(part, data_dir=data_dir),
            *scenes.coil_sprites(part, OBJECTS, data_dir),
        ]
        photos = scenes.bsds_photos(part, data_dir)
        parts[part] = scenes.scenes(
            n, SEEDS[part], photos, sprites, side=SIDE, count=COUNT, size=SIZE
        )
    digits = [f'digit {i}' for i in range(10)]
    objects = [f'object {i + 1}' for i in range(OBJECTS)]
    return Parts((*digits, *objects), **parts)


def fake(train: int, test: int, side: int = 64) -> Parts:
    """Polygons of three kinds on textures."""
    make = functools.partial(scenes.scenes, side=side, count=(1, 2), size=(16, 28))
    parts = {
        part: make(
            n,
            SEEDS[part],
            scenes.generated_photos(2, 0, part),
            scenes.generated_sprites(3, 0, part),
        )
        for part, n in (('train', train), ('test', test))
    }
    return Parts(('triangle', 'square', 'pentagon'), **parts)


def sizes(part: scenes.Scenes) -> np.ndarray:
    """Height and width of each scene, (n, 2)."""
    return np.tile(part.image.shape[1:3], (len(part.image), 1))
