"""A figure of the images with the largest scores of each class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from transfer_jax.reports import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 10  # classes, evenly spaced where there are more


def draw(
    image: np.ndarray,
    scores: np.ndarray,
    label: np.ndarray,
    classes: Sequence[str],
    title: str,
    columns: int,
) -> 'Figure':
    """A row of images (n, h, w, 3) for each class, the largest scores (n, c) first.

    Images of the class have a green frame; the others a red one, and their class below.
    """
    from matplotlib.figure import Figure  # only when there is something to draw

    present = np.unique(label)
    at = np.linspace(0, len(present) - 1, min(ROWS, len(present)))
    shown = present[at.astype(int)]
    columns = min(columns, len(image))
    size = (1.05 * columns + 1.3, 1.22 * len(shown) + 0.5)
    figure = Figure(figsize=size, layout='constrained')
    figure.suptitle(title, fontsize=10)
    grid = figure.subplots(len(shown), columns, squeeze=False)
    for row, number in enumerate(shown):
        best = np.argsort(-scores[:, number], kind='stable')[:columns]
        for column, i in enumerate(best):
            axes = grid[row, column]
            axes.set_xticks([])
            axes.set_yticks([])
            axes.imshow(image[i])
            right = label[i] == number
            for side in axes.spines.values():
                side.set(color='#00a050' if right else '#d00020', linewidth=2.5)
            if not right:
                name = figures.short(classes[label[i]], 12)
                axes.set_xlabel(name, fontsize=7, color='#d00020', labelpad=1)
        name = figures.short(classes[number].replace('_', ' '), 14)
        grid[row, 0].set_ylabel(
            name, fontsize=9, rotation=0, ha='right', va='center', labelpad=6
        )
    return figure
