"""Figures of where a network looks: boxes, points, heat maps and masks on images."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from transfer_jax.reports import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BACKGROUND = (0, 0, 0)
VOID = (224, 224, 224)
RAISES, LOWERS = (0.835, 0.149, 0.149), (0.122, 0.353, 0.761)  # of evidence
HEATS = 3  # maps shown of an image, at most
CELL = 2.0  # inches, of a panel's height


class Example(NamedTuple):
    """An image, and what is shown on it."""

    image: np.ndarray  # (h, w, 3) uint8
    heats: Mapping[int, np.ndarray] = {}  # {class: map (h', w') of any size}
    signed: bool = False  # maps are evidence: above 0 for the class, below 0 against it
    boxes: np.ndarray = np.zeros((0, 4))  # true ones (k, 4): x0, y0, x1, y1, in pixels
    label: np.ndarray = np.zeros(0, int)  # (k,) class of each box
    points: Mapping[int, tuple[float, float]] = {}  # {class: chosen (x, y)}
    masks: Mapping[str, np.ndarray] = {}  # {title: (h, w) class + 1, 0 background}


def overlays(
    examples: Sequence[Example], classes: Sequence[str], title: str
) -> 'Figure':
    """One row an image: it with boxes and points, its heat maps, its masks.

    Boxes are true ones. A point is where the map of its class is largest: a filled
    circle in one of the true boxes of its class, a cross elsewhere. Heat maps run from
    their lowest to their highest value, blue to red; signed ones are red where a
    raises the score of the class and blue where it lowers it. The legend has the
    classes shown.
    """
    from matplotlib import patches
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    heats = max(min(len(e.heats), HEATS) for e in examples)
    masks = max(len(e.masks) for e in examples)
    columns = 1 + heats + masks
    wide = np.mean([e.image.shape[1] / e.image.shape[0] for e in examples])
    figure = Figure(
        figsize=(CELL * wide * columns + 0.3, CELL * len(examples) * 1.12 + 1.0),
        layout='constrained',
    )
    figure.suptitle(title, fontsize=11)
    places = figure.subplots(len(examples), columns, squeeze=False)
    shown: set[int] = set()
    for row, example in zip(places, examples, strict=True):
        for axes in row:
            axes.axis('off')
        row[0].imshow(example.image)
        for (x0, y0, x1, y1), k in zip(example.boxes, example.label, strict=True):
            shown.add(int(k))
            row[0].add_patch(
                patches.Rectangle(
                    (x0 - 0.5, y0 - 0.5),
                    x1 - x0,
                    y1 - y0,
                    fill=False,
                    edgecolor=colour(k),
                    linewidth=1.8,
                )
            )
        for k, (x, y) in example.points.items():
            shown.add(int(k))
            hit = _inside(example, k, x, y)
            row[0].plot(
                x - 0.5,
                y - 0.5,
                marker='o' if hit else 'X',
                markersize=7,
                color=colour(k),
                markeredgecolor='white',
                markeredgewidth=1.0,
            )
        chosen = list(example.heats)[:HEATS]
        for axes, k in zip(row[1:], chosen, strict=False):
            _heat(axes, example.image, example.heats[k], example.signed)
            axes.set_title(figures.short(classes[k], 18), fontsize=8, color=colour(k))
        for axes, name in zip(row[1 + heats :], example.masks, strict=False):
            mask = example.masks[name]
            axes.imshow(painted(mask), interpolation='nearest')
            axes.set_title(name, fontsize=8)
            shown |= {int(k) - 1 for k in np.unique(mask) if 0 < k < 255}
    handles = [
        patches.Patch(color=colour(k), label=figures.short(classes[k], 18))
        for k in sorted(shown)
    ]
    if any(e.points for e in examples):
        for marker, name in (('o', 'point in a box'), ('X', 'point outside')):
            handles.append(
                Line2D([], [], marker=marker, color='grey', lw=0, label=name)
            )
    if any(e.signed for e in examples):
        for shade, name in ((RAISES, 'raises the score'), (LOWERS, 'lowers it')):
            handles.append(patches.Patch(color=shade, label=name))
    if handles:
        figure.legend(
            handles=handles,
            loc='outside lower center',
            ncols=_beside(handles, figure),
            fontsize=8,
            frameon=False,
        )
    return figure


def colour(k: int) -> tuple[float, float, float]:
    """Of class k, the same in every figure."""
    import matplotlib

    wheel = matplotlib.colormaps['tab20'].colors
    return wheel[(2 * int(k)) % 20 + (int(k) // 10) % 2]


def painted(mask: np.ndarray, colors: Sequence | None = None) -> np.ndarray:
    """(h, w) of class + 1, 0 background and 255 void -> (h, w, 3) uint8.

    Args:
      colors: (r, g, b) in 0 to 255 of the value 0, 1, ...; by default black for the
        background, and the classes as in `overlays`.
    """
    top = int(mask[mask < 255].max(initial=0))
    if colors is None:
        of_classes = [tuple(round(255 * c) for c in colour(k)) for k in range(top)]
        colors = [BACKGROUND, *of_classes]
    table = np.full((256, 3), VOID, np.uint8)
    table[: len(colors)] = colors
    return table[mask]


def _heat(axes, image, heat, signed) -> None:
    """A map over the grey image."""
    height, width = image.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(image.mean(-1), cmap='gray', vmin=0, vmax=255)
    if not signed:
        shown = {'cmap': 'jet', 'alpha': 0.5, 'interpolation': 'bilinear'}
        axes.imshow(heat, extent=extent, **shown)
        return
    # Places as they are, and those that say nothing let the image through.
    most = np.abs(heat).max() or 1.0
    tint = np.zeros((*heat.shape, 4))
    tint[..., :3] = np.where(heat[..., None] > 0, RAISES, LOWERS)
    tint[..., 3] = np.where(heat == 0, 0, 0.35 + 0.5 * np.abs(heat) / most)
    axes.imshow(tint, extent=extent, interpolation='nearest')


def _beside(handles, figure) -> int:
    """How many entries of a legend fit beside each other."""
    return max(1, min(len(handles), int(figure.get_figwidth() / 1.45)))


def _inside(example: Example, k: int, x: float, y: float) -> bool:
    boxes = example.boxes[np.asarray(example.label) == k]
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in boxes)


def side_by_side(
    columns: Mapping[str, Sequence[np.ndarray]],
    title: str,
    legend: Mapping[str, Sequence[float]] | None = None,
) -> 'Figure':
    """Images (h, w, 3) uint8 in columns under their names, a row each.

    Args:
      legend: {name: (r, g, b) in 0 to 1}.
    """
    from matplotlib import patches
    from matplotlib.figure import Figure

    rows = len(next(iter(columns.values())))
    first = next(iter(columns.values()))[0]
    wide = CELL * first.shape[1] / first.shape[0]
    size = (wide * len(columns) + 0.3, CELL * rows * 1.03 + 1.2)
    figure = Figure(figsize=size, layout='constrained')
    figure.suptitle(title, fontsize=11)
    places = figure.subplots(rows, len(columns), squeeze=False)
    for j, (name, images) in enumerate(columns.items()):
        places[0, j].set_title(name, fontsize=9)
        for axes, image in zip(places[:, j], images, strict=True):
            axes.imshow(image, interpolation='nearest')
            axes.axis('off')
    if legend:
        handles = [patches.Patch(color=c, label=n) for n, c in legend.items()]
        figure.legend(
            handles=handles,
            loc='outside lower center',
            ncols=_beside(handles, figure),
            fontsize=8,
            frameon=False,
        )
    return figure
