"""Figures from arrays, by matplotlib's object-oriented interface (no global state)."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette: distinct to colour-blind readers, and in grey.
COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000')
DOTS_PER_INCH = 130
NAMED_CLASSES = 20  # a legend of more is no help


class Curve(NamedTuple):
    """A quantity by step, for each seed: [(steps (k,), values (k,)), ...]."""

    name: str
    seeds: Sequence[tuple[np.ndarray, np.ndarray]]


def png(figure: 'Figure') -> bytes:
    """The figure as a file."""
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=DOTS_PER_INCH)
    return content.getvalue()


def curves(
    lines: Sequence[Curve],
    title: str,
    *,
    smooth: bool = False,
    bounds: Mapping[str, int] | None = None,
    percent: bool = False,
) -> 'Figure':
    """Each curve's mean over seeds, the seeds as thin lines around it.

    Args:
      smooth: draw the running mean over a twentieth of the rows.
      bounds: {stage: its last step}; drawn where there are several.
      percent: the values are fractions.
    """
    figure, axes = blank(5.0, 3.4)
    scale = 100 if percent else 1
    for i, curve in enumerate(lines):
        colour = COLOURS[i % len(COLOURS)]
        dash = '-' if i < len(COLOURS) else '--'
        steps, mean = _mean(curve)
        if len(curve.seeds) > 1 or smooth:
            for seed_steps, values in curve.seeds:
                axes.plot(seed_steps, values * scale, color=colour, lw=0.7, alpha=0.3)
        axes.plot(
            steps,
            _running_mean(mean * scale, len(mean) // 20 if smooth else 1),
            dash,
            color=colour,
            lw=1.8,
            marker='o' if len(steps) == 1 else None,
            label=curve.name,
        )
    if smooth and lines:  # a few wild batches must not flatten the rest
        shown = np.concatenate([v for curve in lines for _, v in curve.seeds]) * scale
        low, high = np.percentile(shown, [0.5, 99.5])
        margin = 0.08 * (high - low) or 0.5
        axes.set_ylim(low - margin, high + margin)
    bounds = bounds or {}
    begins = [0, *bounds.values()][:-1] if len(bounds) > 1 else []
    for stage, begin in zip(bounds, begins, strict=False):
        if begin:
            axes.axvline(begin, color='0.6', lw=0.8, ls=':')
        axes.annotate(
            f'{stage} →',
            (begin, 0),
            xycoords=('data', 'axes fraction'),
            xytext=(3, 4),
            textcoords='offset points',
            fontsize=8,
            color='0.45',
        )
    axes.set_title(title)
    axes.set_xlabel('step')
    axes.set_ylabel('%' if percent else '')
    axes.grid(alpha=0.25)
    if len(lines) > 1:
        axes.legend(fontsize=8, framealpha=0.8)
    return figure


def bands(
    lines: Mapping[str, Mapping[float, Sequence[float]]],
    title: str,
    x_label: str,
    *,
    interval: bool = False,
    logarithmic: bool = False,
    spaced: bool = False,
    percent: bool = True,
) -> 'Figure':
    """Numbers over x, each line the mean of its draws with a band around it.

    Args:
      lines: {name: {x: values of the draws}}.
      interval: the band is the 95 % interval of the mean (1.96 standard errors); else
        it is the standard deviation.
      logarithmic: x by its logarithm, such as numbers of images.
      spaced: ticks at some whole numbers, not at every x.
      percent: fractions, shown in %; bands end at 0 and 100 %.
    """
    figure, axes = blank(5.6, 3.8)
    scale, limits = (100, (0, 100)) if percent else (1, (-np.inf, np.inf))
    ticks = sorted({x for line in lines.values() for x in line})
    for i, (name, line) in enumerate(lines.items()):
        colour, marker = COLOURS[i % len(COLOURS)], 'osD^vPX*'[i % 8]
        xs = sorted(line)
        mean = scale * np.array([np.mean(line[x]) for x in xs])
        wide = scale * np.array([_half_width(line[x], interval) for x in xs])
        axes.plot(xs, mean, color=colour, marker=marker, ms=4.5, lw=1.6, label=name)
        low, high = np.clip([mean - wide, mean + wide], *limits)
        axes.fill_between(xs, low, high, color=colour, alpha=0.15, lw=0)
    if logarithmic:
        axes.set_xscale('log')
    if spaced:
        axes.locator_params('x', nbins=6, integer=True)
    else:
        axes.set_xticks(ticks, [f'{x:g}' for x in ticks])
    axes.minorticks_off()
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel('%' if percent else '')
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, framealpha=0.8)
    return figure


def _half_width(values: Sequence[float], interval: bool) -> float:
    if len(values) < 2:
        return 0.0
    std = float(np.std(values, ddof=1))
    return 1.96 * std / np.sqrt(len(values)) if interval else std


def by_domain(points: Mapping[str, np.ndarray], title: str) -> 'Figure':
    """Points {domain: (n, 2)} in the plane, coloured by domain."""
    figure, axes = _plane(title)
    for (name, xy), colour in zip(points.items(), COLOURS, strict=False):
        axes.scatter(*xy.T, s=12, color=colour, alpha=0.65, lw=0, label=name)
    axes.legend(fontsize=8, markerscale=1.6, framealpha=0.8)
    return figure


def by_class(
    points: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    classes: Sequence[str],
    title: str,
) -> 'Figure':
    """Points {domain: (n, 2)} coloured by label; each domain has its own marker."""
    import matplotlib
    from matplotlib.lines import Line2D

    few = len(classes) <= 10
    name = 'tab10' if few else 'tab20' if len(classes) <= NAMED_CLASSES else 'hsv'
    colours = matplotlib.colormaps[name]
    top = max(len(classes), 1) if name == 'hsv' else colours.N
    figure, axes = _plane(title)
    marks = []
    for (domain, xy), marker in zip(points.items(), ('o', '^', 's'), strict=False):
        shade = [colours((int(label) + 0.5) / top) for label in labels[domain]]
        axes.scatter(*xy.T, s=14, c=shade, marker=marker, alpha=0.75, lw=0)
        marks.append(Line2D([], [], ls='', marker=marker, color='0.3', label=domain))
    if len(classes) <= NAMED_CLASSES:
        marks += [
            Line2D(
                [],
                [],
                ls='',
                marker='o',
                color=colours((i + 0.5) / top),
                label=short(name, 18),
            )
            for i, name in enumerate(classes)
        ]
    axes.legend(
        handles=marks,
        fontsize=7.5,
        loc='center left',
        bbox_to_anchor=(1, 0.5),
        frameon=False,
        borderaxespad=0.2,
        handletextpad=0.1,
    )
    return figure


LABELLED = 60  # classes of a confusion matrix that have their names beside it


def confusion(matrix: np.ndarray, classes: Sequence[str], title: str) -> 'Figure':
    """Counts (c, c), true class by predicted class, in % of each true class."""
    counts = matrix.sum(1, keepdims=True)
    share = 100 * matrix / np.maximum(counts, 1)
    c = len(classes)
    side = min(max(4.6, 0.28 * c + 1.5), 11)
    figure, axes = blank(side, side)
    axes.imshow(share, cmap='Blues', vmin=0, vmax=100)
    size = 9 if c <= 12 else 7
    names = [short(name, 16) for name in classes]
    wide = max(map(len, names)) > 3
    every = -(-c // LABELLED)  # of more classes, some are named
    at, named = range(0, c, every), names[::every]
    axes.set_xticks(at, named, fontsize=size, rotation=90 if wide else 0)
    axes.set_yticks(at, named, fontsize=size)
    axes.set_xlabel('predicted')
    axes.set_ylabel('true class')
    axes.set_title(title)
    for i, j in np.ndindex(*share.shape) if c <= 12 else ():
        if round(share[i, j]):
            shade = 'white' if share[i, j] > 55 else '0.15'
            middle = {'ha': 'center', 'va': 'center', 'fontsize': 9}
            axes.text(j, i, f'{share[i, j]:.0f}', color=shade, **middle)
    return figure


def heat_map(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    row_name: str,
    column_name: str,
    title: str,
    *,
    percent: bool = True,
) -> 'Figure':
    """Numbers (r, c) over two quantities, each in its cell; fractions in %."""
    shown = 100 * values if percent else values
    figure, axes = blank(1.8 + 0.75 * len(columns), 1.5 + 0.5 * len(rows))
    low, high = np.nanmin(shown), np.nanmax(shown)
    axes.imshow(shown, cmap='Blues', vmin=low, vmax=high, aspect='auto')
    axes.set_xticks(range(len(columns)), columns, fontsize=9)
    axes.set_yticks(range(len(rows)), rows, fontsize=9)
    axes.set_xlabel(column_name)
    axes.set_ylabel(row_name)
    axes.set_title(f'{title}, %' if percent else title)
    for i, j in np.ndindex(*shown.shape):
        dark = shown[i, j] > low + 0.6 * (high - low)
        text, shade = (
            f'{shown[i, j]:{".1f" if percent else ".2f"}}',
            'white' if dark else '0.15',
        )
        axes.text(j, i, text, ha='center', va='center', color=shade, fontsize=9)
    return figure


def blank(width: float, height: float):
    """(figure, axes) of so many inches."""
    from matplotlib.figure import Figure  # its own canvas: no display, no state

    figure = Figure(figsize=(width, height), layout='constrained')
    axes = figure.subplots()
    axes.title.set_fontsize(11)
    return figure, axes


def _plane(title: str):
    figure, axes = blank(5.0, 4.2)
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([])
    return figure, axes


def _mean(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """(steps, mean over seeds), at the steps that every seed has reached."""
    tables = [
        dict(zip(np.asarray(steps).tolist(), values, strict=True))
        for steps, values in curve.seeds
    ]
    steps = sorted(set.intersection(*(set(table) for table in tables)))
    mean = [np.mean([table[step] for table in tables]) for step in steps]
    return np.array(steps), np.array(mean, float)


def _running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Centred; shorter at both ends."""
    window = max(1, min(window, len(values)))
    kernel = np.ones(window)
    return np.convolve(values, kernel, 'same') / np.convolve(
        np.ones(len(values)), kernel, 'same'
    )


def short(name: str, most: int) -> str:
    """The name, cut where it is longer than `most` characters."""
    return name if len(name) <= most else f'{name[: most - 1]}…'
