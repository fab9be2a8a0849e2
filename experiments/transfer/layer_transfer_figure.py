"""The figure of experiments.transfer.layer_transfer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from transfer_jax.reports import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    rows: Sequence[Mapping[str, Any]], title: str, methods: Sequence[str]
) -> 'Figure':
    """Accuracy on B by n, as figure 2 of the paper: means, and seeds as dots.

    The right axes zoom in on base B, since AnB falls far below it.
    """
    from matplotlib.figure import Figure  # only when there is something to draw

    figure = Figure(figsize=(8.6, 3.7), layout='constrained')
    wide, close = figure.subplots(1, 2)
    points = {name: _points(rows, name) for name in ('base_B', *methods)}
    shifts = np.linspace(-0.12, 0.12, len(methods))  # keeps the methods apart
    for axes in (wide, close):
        base = points['base_B'][0]
        axes.axhline(np.mean(base), ls=':', color='0.2', label='base B')
        axes.plot([0] * len(base), base, 'o', color='0.2', ms=3.5)
        for name, shift, colour in zip(methods, shifts, figures.COLOURS, strict=False):
            at = np.array(list(points[name])) + shift
            mean = [np.mean(values) for values in points[name].values()]
            style = '-D' if name.endswith('+') else '--D'
            axes.plot(at, mean, style, color=colour, ms=4.5, lw=1.6, label=name)
            for x, values in zip(at, points[name].values(), strict=True):
                axes.plot([x] * len(values), values, 'o', color=colour, ms=3, alpha=0.6)
        axes.set_xticks(range(max((row['n'] for row in rows), default=0) + 1))
        axes.set_xlabel('n, layers copied')
        axes.grid(alpha=0.25)
    near = [
        value
        for name in points
        if name != 'AnB'
        for values in points[name].values()
        for value in values
    ]
    margin = 0.1 * (max(near) - min(near)) or 0.5
    close.set_ylim(min(near) - margin, max(near) + margin)
    close.set_title('close to base B', fontsize=11)
    wide.set_ylabel('accuracy on B in %')
    wide.set_title(title, fontsize=11)
    wide.legend(fontsize=8, framealpha=0.8)
    return figure


def _points(rows, method):
    """{n: accuracies in %, one for each seed}."""
    by_n: dict[int, list[float]] = {}
    for row in rows:
        if row['method'] == method:
            by_n.setdefault(row['n'], []).append(100 * row['accuracy'])
    return dict(sorted(by_n.items()))
