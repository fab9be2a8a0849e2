"""Figures of two domains in the plane, with the regions of a classifier."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from transfer_jax.reports import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SOURCE, TARGET = figures.COLOURS[0], '#c8142d'  # blue, red
MARKERS = ('o', '^')  # of the classes
TINTS = ('#e3eedd', '#f8ead0')  # of their regions
RESOLUTION = 240  # points along a side at which the classifier predicts


class Plane(NamedTuple):
    """A panel: examples in 1 or 2 coordinates, and regions."""

    title: str
    source: np.ndarray  # (n, k)
    target: np.ndarray  # (m, k)
    classify: Callable[[np.ndarray], np.ndarray]  # (g, k) -> (g,) classes 0 and 1
    weights: np.ndarray | None = None  # (n,) of the source, drawn as area
    equal: bool = True  # one scale for both axes
    with_source: bool = True  # draws the source examples


class Labels(NamedTuple):
    """Labels and errors of the examples, for all panels."""

    source: np.ndarray  # (n,)
    target: np.ndarray  # (m,)
    wrong: Sequence[np.ndarray]  # (m,) for each panel
    labelled: int = 0  # how many of the first target examples the method saw labelled


def draw(panels: Sequence[Plane], labels: Labels, title: str) -> 'Figure':
    """Panels side by side above one legend."""
    from matplotlib.figure import Figure  # only when there is something to draw

    width = max(4.1 * len(panels), 8.3)
    figure = Figure(figsize=(width, 4.9), layout='constrained')
    figure.suptitle(title, fontsize=12)
    for axes, panel, wrong in zip(
        figure.subplots(1, len(panels), squeeze=False)[0],
        panels,
        labels.wrong,
        strict=True,
    ):
        fill(axes, panel, labels, wrong)
        axes.set_title(panel.title, fontsize=10.5)
    weighted = any(panel.weights is not None for panel in panels)
    figure.legend(
        handles=legend(labels.labelled > 0, weighted),
        loc='outside lower center',
        ncols=5 if len(panels) > 2 else 4,
        fontsize=9,
        frameon=False,
        handletextpad=0.4,
        columnspacing=1.4,
    )
    return figure


def sheet(tiles: Sequence[tuple[Plane, Labels]], columns: int = 4) -> 'Figure':
    """Small panels in rows above one legend, each with its last `wrong`."""
    from matplotlib.figure import Figure

    rows = -(-len(tiles) // columns)
    size = (1.75 * columns, 1.95 * rows + 0.5)
    figure = Figure(figsize=size, layout='constrained')
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis('off')
    for axes, (panel, labels) in zip(grid, tiles, strict=False):
        axes.axis('on')
        fill(axes, panel, labels, labels.wrong[-1], area=6.0)
        axes.set_title(panel.title, fontsize=8)
    figure.legend(
        handles=legend(
            any(labels.labelled for _, labels in tiles),
            any(panel.weights is not None for panel, _ in tiles),
        ),
        loc='outside lower center',
        ncols=4,
        fontsize=8,
        frameon=False,
    )
    return figure


def fill(axes, panel: Plane, labels: Labels, wrong: np.ndarray, area=16.0) -> None:
    """Draws a panel: regions, then source, then target examples.

    Args:
      area: of a marker, in square points.
    """
    flat = panel.source.shape[1] == 1
    source, target = panel.source, panel.target
    if flat:
        source, target = _band(source, 1.0), _band(target, -1.0)
    drawn = np.concatenate([source, target]) if panel.with_source else target
    low, high = _limits(drawn, panel.equal and not flat)
    _regions(axes, panel.classify, low, high, flat)
    if panel.with_source:
        size = area
        if panel.weights is not None:
            share = panel.weights / max(panel.weights.mean(), 1e-12)
            size = np.clip(area * share, 0.08 * area, 8 * area)
        _points(axes, source, labels.source, SOURCE, size, alpha=0.6)
    _points(axes, target, labels.target, TARGET, area, alpha=0.75)
    if wrong.any():
        _points(axes, target[wrong], labels.target[wrong], 'none', 1.3 * area, edge=0.9)
    few = labels.labelled
    if few:
        axes.scatter(*target[:few].T, s=6 * area, c='none', edgecolors='k', lw=1.3)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_xticks([])
    axes.set_yticks([])
    if flat:
        axes.set_xlabel('the one coordinate', fontsize=9)
    if panel.equal and not flat:
        axes.set_aspect('equal')


def legend(labelled: bool = False, weighted: bool = False) -> list:
    """Handles of the legend: what the marks mean."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def mark(marker, label, **style):
        return Line2D([], [], ls='', marker=marker, label=label, **style)

    area = ' (area: weight)' if weighted else ''
    handles = [
        mark('s', f'source{area}', color=SOURCE),
        mark('s', 'target', color=TARGET),
        mark(MARKERS[0], 'class 1', color='0.35'),
        mark(MARKERS[1], 'class 2', color='0.35'),
        Patch(facecolor=TINTS[0], edgecolor='0.5', label='predicted 1'),
        Patch(facecolor=TINTS[1], edgecolor='0.5', label='predicted 2'),
        mark('o', 'wrong', mfc='none', mec='k', mew=0.9),
    ]
    if labelled:
        ring = {'mfc': 'none', 'mec': 'k', 'mew': 1.3, 'ms': 10}
        handles.append(mark('o', 'labelled target', **ring))
    return handles


def _points(axes, xy, label, colour, size, alpha=1.0, edge=0.0):
    for value, marker in enumerate(MARKERS):
        of_class = label == value
        axes.scatter(
            *xy[of_class].T,
            s=size[of_class] if np.ndim(size) else size,
            c=colour,
            marker=marker,
            alpha=alpha,
            lw=edge,
            edgecolors='k' if edge else 'none',
        )


def _regions(axes, classify, low, high, flat) -> None:
    from matplotlib.colors import ListedColormap

    sides = [np.linspace(a, b, RESOLUTION) for a, b in zip(low, high, strict=True)]
    if flat:
        predicted = np.tile(classify(sides[0][:, None]), (RESOLUTION, 1))
    else:
        grid = np.stack([part.ravel() for part in np.meshgrid(*sides)], 1)
        predicted = classify(grid).reshape(RESOLUTION, RESOLUTION)
    axes.imshow(
        predicted,
        extent=(low[0], high[0], low[1], high[1]),
        origin='lower',
        aspect='auto',
        cmap=ListedColormap(TINTS),
        vmin=0,
        vmax=1,
        interpolation='nearest',
    )
    if predicted.min() < predicted.max():
        axes.contour(*sides, predicted, levels=[0.5], colors='0.45', linewidths=0.9)


def _band(x: np.ndarray, height: float) -> np.ndarray:
    """Points (n, 2) of one coordinate (n, 1), scattered over a band."""
    offset = np.arange(len(x)) * (np.sqrt(5) - 1) / 2 % 1  # even, in no order
    return np.stack([x[:, 0], height + 1.2 * (offset - 0.5)], 1)


def _limits(points: np.ndarray, equal: bool) -> tuple[np.ndarray, np.ndarray]:
    low, high = points.min(0), points.max(0)
    half = np.maximum(0.54 * (high - low), 1e-9)
    if equal:
        half = np.full(2, half.max())
    middle = (low + high) / 2
    return middle - half, middle + half
