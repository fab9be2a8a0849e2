"""Selects and draws the figures of a report.

Curves come from history.jsonl and metrics.jsonl. Sample grids, feature maps, confusion
matrices and an experiment's own pictures come from the data and the checkpoints of the
first seed.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from transfer_jax import evaluation, runs, selection
from transfer_jax.reports import feature_maps, figures, gains, image_grids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES = 40  # images of a grid
_KEYS = ('seed', 'stage', 'step')


class Finished(NamedTuple):
    """A finished run."""

    experiment: runs.Experiment
    run_dir: pathlib.Path
    result: dict
    history: list[dict]
    metrics: list[dict]

    @property
    def name(self) -> str:
        """The method as it is written: 'source only'."""
        return self.experiment.method.replace('_', ' ')


class Section(NamedTuple):
    """Figures under one heading."""

    title: str
    text: str
    figures: Mapping[str, 'Figure']  # {file name: figure}


class _Loaded(NamedTuple):
    """A finished run and the data of its first seed."""

    run: Finished
    data: Any
    held_out: Any
    classes: Sequence[str]

    def state(self, stages: int | None = None):
        """After all stages, or the first ones."""
        experiment, seed = self.run.experiment, self.run.experiment.seeds[0]
        return runs.restore(experiment, self.run.run_dir, seed, self.data, stages)


def sections(finished: Sequence[Finished], data_dir: str | None) -> list[Section]:
    """All figures of the finished runs of one task."""
    grids, maps, matrices, pictures = {}, {}, {}, {}
    missing = []
    for run in finished:
        experiment = run.experiment
        data = experiment.data(experiment.seeds[0], data_dir)
        classes = experiment.classes(data) if experiment.classes else ()
        loaded = _Loaded(run, data, experiment.held_out(data), classes)
        if experiment.samples and (not grids or experiment.method in gains.BASELINES):
            grids = _grids(experiment.samples(data), classes)
        try:
            if experiment.pictures is not None:
                pictures |= _pictures(loaded)
            elif isinstance(loaded.held_out, runs.HeldOut):
                matrices |= _matrix(loaded)
                maps |= _maps(loaded, len(finished) > 1)
        except runs.NotFinished as error:
            missing.append(str(error))
    if len(finished) > 1:  # before adaptation comes first
        maps = dict(sorted(maps.items(), key=lambda item: 'before' not in item[0]))
    shown = [
        Section(
            'The domains',
            'Random images with their labels, before normalisation and augmentation; '
            'those of the target are from its test set.',
            grids,
        ),
        _curves(finished),
        Section(
            'Features',
            'Of the first seed. t-SNE of the features of held-out source images and '
            f'target test images, at most {feature_maps.MAPPED} of each; each map is '
            'computed by itself. Target labels serve as colours only.',
            maps,
        ),
        Section(
            'Confusion on the target test set',
            'Of the first seed at the last step; % of each true class.',
            matrices,
        ),
        Section('Pictures', 'Of the first seed at the last step.', pictures),
        *(_training(run) for run in finished),
    ]
    shown = [section for section in shown if section.figures]
    if missing:
        shown.append(Section('Not shown', '. '.join(missing), {}))
    return shown


def _grids(samples: Mapping[str, Any], classes: Sequence[str]) -> dict[str, 'Figure']:
    answer = {}
    for domain, part in samples.items():
        rows = np.random.default_rng(0).permutation(len(part.label))[:SAMPLES]
        names = [_class(classes, part.label[row]) for row in rows]
        images = np.stack([part.image[row] for row in rows])
        answer[f'samples_{domain}'] = image_grids.samples(images, names, domain)
    return answer


def _curves(finished: Sequence[Finished]) -> Section:
    """The described numbers of all evaluations."""
    drawn = {}
    numbers = {k: v for run in finished for k, v in run.experiment.numbers.items()}
    for name, number in numbers.items():
        lines = [
            figures.Curve(run.name, seeds)
            for run in finished
            if (seeds := _by_seed(run, run.history, name))
        ]
        if lines:
            drawn[f'curve_{name}'] = figures.curves(
                lines,
                number.title,
                bounds=_bounds(finished[0]) if len(finished) == 1 else None,
                percent=number.percent,
            )
    text = 'The evaluations: the mean over seeds, and each seed as a thin line.'
    rules = finished[0].experiment.rules
    if rules.get('fixed_validator') == selection.RULES['fixed_validator']:
        text += (
            ' Calibrated information maximisation, H(mean p) - mean H(p) of the '
            'predictions on unlabelled target training images, is the validator fixed '
            'in advance. The temperature is fitted on held-out source images; where '
            'all of them are classified correctly, there is none, and no score.'
        )
    return Section('Learning curves', text, drawn)


def _training(run: Finished) -> Section:
    """Losses in one figure, accuracies in one, every other metric by itself."""
    names = dict.fromkeys(k for row in run.metrics for k in row if k not in _KEYS)
    several = len({name.rpartition('/')[0] for name in names}) > 1
    groups: dict[str, list[str]] = {}
    for name in names:
        kind = next((k for k in ('loss', 'accuracy') if name.endswith(k)), name)
        groups.setdefault(kind, []).append(name)
    titles = {'loss': 'losses', 'accuracy': 'training accuracy'}
    drawn = {}
    for kind, members in groups.items():
        lines = [
            figures.Curve(_plain(name, several), _by_seed(run, run.metrics, name))
            for name in members
        ]
        file = kind.rpartition('/')[2] if not several else kind.replace('/', '_')
        drawn[f'training_{run.experiment.method}_{file}'] = figures.curves(
            lines,
            f'{run.name}: {titles.get(kind) or _plain(kind, several)}',
            smooth=kind in titles,
            bounds=_bounds(run),
            percent=kind == 'accuracy',
        )
    text = (
        'Single training batches: each seed as a thin line, and a running mean of the '
        'mean over seeds.'
    )
    return Section(f'Training: {run.name}', text, drawn)


def _pictures(loaded: _Loaded) -> dict[str, 'Figure']:
    """The experiment's own, of the final state."""
    experiment = loaded.run.experiment
    predicts = runs.recorder.bind(experiment, experiment.stages[-1], loaded.state())
    drawn = experiment.pictures(predicts, loaded.held_out)
    return {f'{experiment.method}_{name}': figure for name, figure in drawn.items()}


def _matrix(loaded: _Loaded) -> dict[str, 'Figure']:
    """The confusion matrix of the final state."""
    run, test = loaded.run, loaded.held_out.target_test
    method = run.experiment.stages[-1].method
    predict = evaluation.bind(method, loaded.state(), 'target')
    logits = evaluation.extract(predict, test, ['logits'])['logits']
    label = feature_maps.labels(test)
    names = [_class(loaded.classes, i) for i in range(logits.shape[-1])]
    matrix = np.zeros((len(names), len(names)))
    np.add.at(matrix, (label, logits.argmax(-1)), 1)
    title = f'{run.name}: {100 * np.trace(matrix) / matrix.sum():.1f} % correct'
    drawn = figures.confusion(matrix, names, title)
    return {f'confusion_{run.experiment.method}': drawn}


def _maps(loaded: _Loaded, several: bool) -> dict[str, 'Figure']:
    """Features in the plane. With several methods, source only is 'before'."""
    run, experiment = loaded.run, loaded.run.experiment
    count = len(experiment.stages)
    if several and experiment.method == gains.CEILING:
        return {}
    if several:
        before = experiment.method in gains.BASELINES
        views = {f'before adaptation ({run.name})' if before else run.name: count}
    elif count > 1:
        views = {'before adaptation': count - 1, 'after adaptation': count}
    else:
        views = {'before training': 0, 'after training': count}
    drawn = {}
    for title, stages in views.items():
        method = experiment.stages[max(stages - 1, 0)].method
        features = feature_maps.features(method, loaded.state(stages), loaded.held_out)
        if not features:
            continue
        points = feature_maps.plane({domain: x for domain, (x, _) in features.items()})
        labels = {domain: label for domain, (_, label) in features.items()}
        names = [
            _class(loaded.classes, i) for i in range(_count(loaded.classes, labels))
        ]
        letters = ''.join(c if c.isalnum() else '_' for c in title)
        file = f'features_{letters}'.strip('_')
        drawn[f'{file}_domain'] = figures.by_domain(points, f'{title}: domain')
        drawn[f'{file}_class'] = figures.by_class(
            points, labels, names, f'{title}: class'
        )
    return drawn


def _by_seed(run, rows, column) -> list[tuple[np.ndarray, np.ndarray]]:
    """(steps counted through all stages, values) of each seed that has any number."""
    bounds = _bounds(run)
    begins = dict(zip(bounds, [0, *bounds.values()], strict=False))
    curves = []
    for seed in run.experiment.seeds:
        points = sorted(
            (begins[row['stage']] + row['step'], row[column])
            for row in rows
            if row['seed'] == seed and column in row and row['stage'] in begins
        )
        if any(not np.isnan(value) for _, value in points):
            steps, values = zip(*points, strict=True)
            curves.append((np.array(steps), np.array(values, float)))
    return curves


def _bounds(run: Finished) -> dict[str, int]:
    """{stage: its last step, counted through all stages}."""
    stages = run.experiment.stages
    ends = np.cumsum([stage.steps for stage in stages]).tolist()
    return dict(zip((stage.name for stage in stages), ends, strict=True))


def _class(classes: Sequence[str], label: int) -> str:
    return classes[label] if len(classes) else str(label)


def _count(classes: Sequence[str], labels: Mapping[str, np.ndarray]) -> int:
    return len(classes) or 1 + int(max(label.max() for label in labels.values()))


def _plain(name: str, with_phase: bool) -> str:
    """'train/domain_loss' as 'domain loss', or 'train: domain loss'."""
    phase, _, rest = name.rpartition('/')
    rest = rest.replace('_', ' ')
    return f'{phase}: {rest}' if with_phase and phase else rest
