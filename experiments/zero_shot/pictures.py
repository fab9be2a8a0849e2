"""Figures of zero-shot learning: the seen-unseen curve, attributes of images."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from experiments.zero_shot import choice
from transfer_jax import zero_shot
from transfer_jax.reports import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 60  # of a curve in a result file
IMAGES, SHOWN = 4, 12  # images and attributes of the bars
LINES = 6  # methods of a figure of curves


def points(curve) -> dict[str, list[float]]:
    """Some points of a seen-unseen curve, as columns of a row of the study."""
    at = np.unique(np.linspace(0, len(curve.seen) - 1, POINTS).astype(int))
    return {
        'curve_u': np.round(curve.unseen[at], 4).tolist(),
        'curve_s': np.round(curve.seen[at], 4).tolist(),
    }


def curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, 'Figure']:
    """s over u for each method: a dot without gamma, a star at the chosen gamma."""
    drawn = {}
    for kind in dict.fromkeys(row['vectors'] for row in rows):
        mine = [row for row in rows if row['vectors'] == kind and 'curve_u' in row]
        best = {}  # of its preparations, that of the larger area
        for row in sorted(mine, key=lambda row: row['ausuc']):
            best[row['method']] = row
        lines = sorted(best.values(), key=lambda row: -row['ausuc'])[:LINES]
        figure, axes = figures.blank(5.6, 4.4)
        for row, colour in zip(lines, figures.COLOURS, strict=False):
            u, s = (100 * np.array(row[key]) for key in ('curve_u', 'curve_s'))
            name = row['method'].replace('_', ' ')
            axes.plot(u, s, color=colour, lw=1.6, label=name)
            axes.plot(
                *(100 * row['u_gamma'], 100 * row['s_gamma'], '*'),
                color=colour,
                ms=12,
                mec='0.2',
                mew=0.6,
            )
        axes.plot([], [], '*', color='0.5', ms=10, mec='0.2', label='gamma chosen')
        axes.set_xlabel('unseen classes, %')
        axes.set_ylabel('seen classes, %')
        axes.set_title(f'All classes to choose from, by gamma: {kind}')
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8)
        drawn[f'Seen-unseen curve, {kind}'] = figure
    return drawn


def attributes(prepared) -> dict[str, 'Figure']:
    """Bars of the attributes of images of unseen classes, predicted and true.

    ESZSL's scores are linear in the class vector, so the scores of the unit vectors are
    the attributes that it sees in an image. Bars show square roots of attributes.
    """
    kind = next(iter(prepared.vectors))
    data, vectors = prepared.data, prepared.vectors[kind]
    vectors = np.sign(vectors) * np.sqrt(np.abs(vectors))  # rare attributes less far
    training, of_seen = data.training(), vectors[data.seen]
    x = np.asarray(zero_shot.unit_rows(np.asarray(data.x, np.float64)))
    deviation = of_seen.std(0)
    deviation = np.where(deviation > 0, deviation, 1)
    true = (vectors - of_seen.mean(0)) / deviation
    method = zero_shot.pipeline(zero_shot.eszsl(1.0, 1.0))
    ready = choice.prepare('centred', of_seen, of_seen)
    fitted = method.fit(jax.random.key(0), x[data.train], training.label, ready)
    units = np.eye(vectors.shape[1])
    on_training = method.scores(fitted, x[data.train], units)
    rows = _one_of_each(data, IMAGES)
    predicted = method.scores(fitted, x[rows], units) - on_training.mean(0)
    predicted = predicted / on_training.std(0)
    unseen = choice.prepare('centred', of_seen, vectors[data.unseen])
    guesses = data.unseen[method.scores(fitted, x[rows], unseen).argmax(1)]
    names = prepared.columns.get(kind)
    names = names or [f'{kind} {i + 1}' for i in range(vectors.shape[1])]
    figure = _bars(
        true[data.label[rows]],
        predicted,
        [data.classes[i] for i in data.label[rows]],
        [data.classes[i] for i in guesses],
        names,
    )
    return {f'Attributes seen in images of unseen classes, {kind}': figure}


def _one_of_each(data, count) -> np.ndarray:
    """The first test image of some unseen classes, evenly spaced."""
    at = np.linspace(0, len(data.unseen) - 1, min(count, len(data.unseen)))
    label = data.label[data.test_unseen]
    first = [np.flatnonzero(label == data.unseen[int(i)])[0] for i in at]
    return data.test_unseen[first]


def _bars(true, predicted, classes, guesses, names) -> 'Figure':
    from matplotlib.figure import Figure  # only when there is something to draw

    n = len(true)
    shown = min(SHOWN, true.shape[1])
    figure = Figure(figsize=(11, 2.9 * -(-n // 2)), layout='constrained')
    grid = figure.subplots(-(-n // 2), 2, squeeze=False).ravel()
    for axes in grid[n:]:
        axes.axis('off')
    for i, axes in enumerate(grid[:n]):
        at = np.argsort(-np.abs(true[i]))[:shown][::-1]
        y = np.arange(shown)
        colours = figures.COLOURS
        axes.barh(y + 0.2, true[i, at], 0.38, color='0.65', label='the class')
        axes.barh(
            *(y - 0.2, predicted[i, at], 0.38),
            color=colours[0],
            label='predicted from the image',
        )
        labels = [names[j].removeprefix('has_').replace('_', ' ') for j in at]
        labels = [label.replace('::', ': ') for label in labels]
        axes.set_yticks(y, [figures.short(label, 34) for label in labels], fontsize=8)
        axes.axvline(0, color='0.3', lw=0.8)
        right = classes[i] == guesses[i]
        said = 'recognised' if right else f'taken for {figures.short(guesses[i], 24)}'
        title = f'{figures.short(classes[i], 28)}: {said}'
        axes.set_title(title, fontsize=9, color='0.1' if right else colours[1])
        axes.set_xlabel('deviations from the mean of the seen classes', fontsize=8)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, ncols=2, loc='outside lower center')
    return figure
