"""report.html of an adaptation: the advice, what it rests on, and the predictions."""

import html
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from transfer_jax import selection
from transfer_jax.adapt import verdict
from transfer_jax.adapt.outcome import Outcome
from transfer_jax.reports import feature_maps, figures, html_page, image_grids
from transfer_jax.runs import FolderError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 16  # target images of most and of least confidence
MAPPED = 300  # images of each domain in a map
NUMBERS = {  # {number of a row: its heading}
    selection.FIXED: 'fixed validator',
    **verdict.SECOND,
    'source_validation': 'source validation',
}


class Content(NamedTuple):
    """What the report is about."""

    title: str
    plan: Sequence[str]  # lines
    classes: Sequence[str]
    source_share: np.ndarray  # (c,)
    target: np.ndarray  # (n, h, w, 3) uint8
    names: Sequence[str]  # (n,) of the target images
    outcomes: Sequence[Outcome]  # source only, then the method
    verdict: verdict.Verdict | None  # None: source only was all
    others: Sequence[Outcome] = ()  # further lines of the table
    target_labelled: bool = False  # whether training saw some labelled target images


def write(path: pathlib.Path, content: Content) -> pathlib.Path:
    """Writes the report, and its figures beside it; returns its path.

    Raises:
      FolderError: it cannot be written.
    """
    sections = [
        ('Classes', _classes_text(content), _shares(content)),
        (
            'Target images by confidence',
            'Of the advised model: the probability of the predicted class.',
            _confidence(content),
        ),
        (
            'Features by domain',
            'Held-out source images and target images in the plane, by PCA and t-SNE. '
            'Where both domains lie apart, the classifier meets images unlike those '
            'that it was trained on.',
            _maps(content),
        ),
        (
            'Held-out source images',
            'The true and the predicted class, by the models of all seeds. It says '
            'nothing of the target.',
            _confusion(content),
        ),
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = [
            html_page.section(title, text, drawings, path.parent)
            for title, text, drawings in sections
            if drawings
        ]
        body = [_head(content), _table(content), *drawn, _per_class(content)]
        body += [_details(outcome) for outcome in content.outcomes]
        path.write_text(html_page.page(content.title, body), encoding='utf-8')
    except OSError as error:
        raise FolderError(f'cannot write {path}: {error.strerror}') from error
    return path


def advice(content: Content) -> str:
    """One sentence."""
    judged = content.verdict
    if judged is None:
        return 'Source only was trained; there is no adaptation to judge.'
    plain, method = (outcome.title for outcome in content.outcomes)
    if judged.answer == verdict.YES:
        return (
            f'Adaptation by {method} is likely to have helped: use the adapted model.'
        )
    if judged.answer == verdict.NO:
        return f'Adaptation by {method} is unlikely to have helped: use {plain}.'
    return f'Whether adaptation by {method} helped cannot be said: use {plain}.'


def advised(content: Content) -> Outcome:
    """The outcome whose model the advice is to use."""
    if content.verdict is not None and not content.verdict.adapted:
        return content.outcomes[0]
    return content.outcomes[-1]


def _head(content: Content) -> str:
    parts = [f'<h1>{html.escape(content.title)}</h1>\n']
    parts.append(f'<p><strong>{html.escape(advice(content))}</strong></p>\n')
    if content.verdict is not None:
        parts.append(_bullets(content.verdict.reasons))
        if content.verdict.warnings:
            parts.append('<h2>Warnings</h2>\n' + _bullets(content.verdict.warnings))
    note = 'No target label was used for this advice or for the choice of the model'
    few = ': the labelled target images of --target-labelled joined the source.'
    note += (
        f'; training saw some{few}' if content.target_labelled else ', or in training.'
    )
    parts.append(f'<p class="note">{note}</p>\n')
    parts.append('<h2>What was trained</h2>\n' + _bullets(content.plan))
    return ''.join(parts)


def _bullets(lines: Sequence[str]) -> str:
    items = ''.join(f'<li>{html.escape(line)}</li>\n' for line in lines)
    return f'<ul>\n{items}</ul>\n'


def _table(content: Content) -> str:
    """A line for each method: what chose the model, and its numbers."""
    tested = any(outcome.test_accuracy for outcome in content.outcomes)
    seeds = any(
        verdict.agreement_of_seeds(outcome.side) is not None
        for outcome in content.outcomes
    )
    head = ['method', 'chosen by', 'step']
    head += NUMBERS.values()
    head += ['A-distance', 'confidence']
    head += ['agreement of seeds'] if seeds else []
    head += ['target accuracy'] if tested else []
    lines = []
    for outcome in (*content.outcomes, *content.others):
        side = outcome.side
        rule = '' if outcome.frozen else side.rule.replace('_', ' ')
        line = [outcome.title, rule]
        steps = ', '.join(str(row['step']) for row in side.rows)
        line.append('' if outcome.frozen else steps)
        for name in NUMBERS:
            values = [row.get(name, np.nan) for row in side.rows]
            line.append(_number(np.mean(values), name == 'source_validation'))
        line.append(f'{side.a_distance:.2f}')
        line.append(f'{side.probabilities.max(-1).mean():.1%}')
        if seeds:
            agreement = verdict.agreement_of_seeds(side)
            line.append('' if agreement is None else f'{agreement:.1%}')
        if tested:
            line.append(_mean_std(outcome.test_accuracy))
        lines.append(line)
    legend = (
        'Validators: higher is better, and none uses target labels; the fixed one is '
        'the information maximisation of calibrated target predictions, in nats. '
        'Confidence: mean probability of the predicted class. A-distance: 0, the '
        'domains look alike to a linear classifier of the features, to 2, they are '
        'separable; of the last step.'
    )
    if any(outcome.frozen for outcome in (*content.outcomes, *content.others)):
        legend += ' Frozen features: of the pretrained network, without any training.'
    return (
        '<h2>Numbers</h2>\n'
        + html_page.table(head, lines, ('method', 'chosen by'))
        + f'<p class="note">{legend}</p>\n'
    )


def _number(value: float, percent: bool) -> str:
    if np.isnan(value):
        return 'none'
    return f'{value:.1%}' if percent else f'{value:.3f}'


def _mean_std(values: Sequence[float]) -> str:
    if not values:
        return ''
    mean = f'{100 * np.mean(values):.1f}'
    return mean if len(values) < 2 else f'{mean} ± {100 * np.std(values, ddof=1):.1f}'


def _classes_text(content: Content) -> str:
    return (
        f'Shares of the {len(content.target)} target images by predicted class, beside '
        'those of the labelled source images.'
    )


def _shares(content: Content) -> Mapping[str, 'Figure']:
    """Bars of the shares of the classes."""
    classes = [figures.short(name, 18) for name in content.classes]
    if len(classes) > 60:
        return {}
    width = max(5.0, 0.45 * len(classes) + 1.5)
    figure, axes = figures.blank(width, 3.4)
    parts = {'source labels': content.source_share}
    for outcome in content.outcomes:
        name = f'target, {outcome.title}'
        parts[name] = verdict.predicted_shares(outcome.side)
    x = np.arange(len(classes))
    bar = 0.8 / len(parts)
    for i, (name, share) in enumerate(parts.items()):
        left = x + (i - (len(parts) - 1) / 2) * bar
        axes.bar(left, 100 * share, bar, label=name, color=figures.COLOURS[i])
    long = max(map(len, classes)) * len(classes) > 60
    axes.set_xticks(x, classes, rotation=90 if long else 0, fontsize=8)
    axes.set_ylabel('%')
    axes.legend(fontsize=8, frameon=False)
    return {'class_shares': figure}


def _confidence(content: Content) -> Mapping[str, 'Figure']:
    """Grids of the target images of which the advised model is most and least sure."""
    p = advised(content).side.probabilities.mean(0)
    order = np.argsort(-p.max(-1), kind='stable')
    drawn = {}
    shown = min(SHOWN, max(1, len(order) // 2))  # no image is in both
    parts = {'most': order[:shown], 'least': order[::-1][:shown]}
    for name, rows in parts.items():
        labels = [f'{p[i].max():.0%} {content.classes[p[i].argmax()]}' for i in rows]
        drawn[f'{name}_confident'] = image_grids.samples(
            content.target[rows], labels, f'{name} confident'
        )
    return drawn


def _maps(content: Content) -> Mapping[str, 'Figure']:
    drawn = {}
    for outcome in content.outcomes:
        rng = np.random.default_rng(0)
        parts = {
            domain: x.reshape(len(x), -1)[rng.permutation(len(x))[:MAPPED]]
            for domain, x in outcome.features.items()
        }
        if min(map(len, parts.values()), default=0) < 5:
            continue
        points = feature_maps.plane(parts)
        name = outcome.side.name
        drawn[f'features_{name}'] = figures.by_domain(points, outcome.title)
    return drawn


def _confusion(content: Content) -> Mapping[str, 'Figure']:
    c = len(content.classes)
    drawn = {}
    for outcome in content.outcomes:
        matrix = np.zeros((c, c))
        predicted = outcome.source.argmax(-1)
        np.add.at(matrix, (outcome.source_labels, predicted), 1)
        title = f'{outcome.title}: {np.trace(matrix) / matrix.sum():.1%} correct'
        drawn[f'confusion_{outcome.side.name}'] = figures.confusion(
            matrix, content.classes, title
        )
    return drawn


def _per_class(content: Content) -> str:
    """A table of the classes: source accuracy, and how many target images."""
    head = ['class', 'held-out source images']
    columns = []
    for outcome in content.outcomes:
        head += [f'{outcome.title}: correct', f'{outcome.title}: target images']
        predicted = outcome.source.argmax(-1) == outcome.source_labels
        target = outcome.side.probabilities[0].argmax(-1)
        columns.append((outcome.source_labels, predicted, target))
    lines = []
    for i, name in enumerate(content.classes):
        count = int(np.sum(columns[0][0] == i))
        line = [name, str(count)]
        for labels, correct, target in columns:
            of_class = correct[labels == i]
            line.append(f'{of_class.mean():.1%}' if of_class.size else 'none')
            line.append(f'{np.sum(target == i):,}')
        lines.append(line)
    return '<h2>By class</h2>\n' + html_page.table(head, lines, ('class',))


def _details(outcome: Outcome) -> str:
    return html_page.details(outcome.title, '', outcome.about)
