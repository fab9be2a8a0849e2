"""Figures of queries beside the images that are retrieved for them."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    queries: np.ndarray, retrieved: np.ndarray, relevant: np.ndarray, title: str
) -> 'Figure':
    """Rows of a query (n, h, w, 3) and the images retrieved for it (n, k, h, w, 3).

    Relevant images, by the mask (n, k), have a green frame; the others have a red frame
    and a cross in the corner.
    """
    n, k = relevant.shape
    from matplotlib.figure import Figure  # only when there is something to draw

    size = (0.82 * (k + 1) + 0.2, 0.86 * n + 0.5)
    figure = Figure(figsize=size, layout='constrained')
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(n, k + 1, squeeze=False)
    for row, column in np.ndindex(n, k + 1):
        axes = grid[row, column]
        axes.set_xticks([])
        axes.set_yticks([])
        axes.imshow(retrieved[row, column - 1] if column else queries[row])
        good = column > 0 and relevant[row, column - 1]
        colour = '0.2' if not column else '#00a050' if good else '#d00020'
        for side in axes.spines.values():
            side.set(color=colour, linewidth=1 if not column else 3)
        if row == 0:
            axes.set_title('query' if not column else str(column), fontsize=9)
        if column and not good:
            axes.text(
                *(0.95, 0.95, '×'),
                transform=axes.transAxes,
                ha='right',
                va='top',
                color=colour,
                fontsize=14,
                fontweight='bold',
            )
    return figure
