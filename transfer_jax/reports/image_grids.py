"""Figures of images: grids with names, pictures side by side."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from transfer_jax.reports import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def samples(
    images: np.ndarray, names: Sequence[str], title: str, columns: int = 8
) -> 'Figure':
    """Images (n, h, w, c) uint8 in a grid, each with its name below."""
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    gap = max(2, width // 12)
    words = int(np.ceil(height * 0.32))  # room for the name below an image
    tall, wide = height + words, width + gap
    canvas = np.full((rows * tall, columns * wide - gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = divmod(i, columns)
        cell = canvas[y * tall : y * tall + height, x * wide : x * wide + width]
        cell[:] = image if channels == 3 else image[..., :1]
    figure, axes = figures.blank(6.0, 6.0 * canvas.shape[0] / canvas.shape[1] + 0.35)
    axes.imshow(canvas, interpolation='nearest')
    axes.axis('off')
    axes.set_title(title)
    for i, name in enumerate(names):
        y, x = divmod(i, columns)
        axes.text(
            x * wide + width / 2,
            y * tall + height + words * 0.1,
            figures.short(name, 13),
            ha='center',
            va='top',
            fontsize=8 if len(name) < 6 else 6,
        )
    return figure


def beside(
    groups: Sequence[tuple[str, np.ndarray, np.ndarray]], title: str, columns: int = 2
) -> 'Figure':
    """Two square blocks of images side by side for each group, under its name.

    Args:
      groups: (name, images (k, h, w, 3) uint8, as many others).
    """
    from matplotlib.figure import Figure

    rows = -(-len(groups) // columns)
    figure = Figure(figsize=(5.5 * columns, 3.0 * rows + 0.4), layout='constrained')
    figure.suptitle(title, fontsize=11)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in places:
        axes.axis('off')
    for axes, (name, left, right) in zip(places, groups, strict=False):
        left, right = _block(left), _block(right)
        space = np.full((len(left), len(left) // 30, 3), 255, np.uint8)
        axes.imshow(np.concatenate([left, space, right], 1))
        axes.set_title(name, fontsize=9, loc='left')
    return figure


def _block(images: np.ndarray) -> np.ndarray:
    """Images (k, h, w, 3) in a square, small ones magnified."""
    zoom = max(1, 60 // images.shape[1])
    images = images.repeat(zoom, 1).repeat(zoom, 2)
    k, height, width, _ = images.shape
    side, gap = math.ceil(k**0.5), max(1, width // 30)
    tall, wide = height + gap, width + gap
    canvas = np.full((side * tall - gap, side * wide - gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = i // side * tall, i % side * wide
        canvas[y : y + height, x : x + width] = image
    return canvas
