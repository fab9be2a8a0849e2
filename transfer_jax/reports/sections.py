"""What a report shows of finished runs: which figures, from which files and states.

Curves come from history.jsonl and metrics.jsonl; sample grids, feature maps and
confusion matrices from the data and the checkpoints of the first seed.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from transfer_jax import evaluation, runs
from transfer_jax.reports import figures, image_grids, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES = 40  # images of a grid
MAPPED = 300  # images of each domain in a feature map
CURVES = {  # {column of a history: title}
    'target_test': 'target test accuracy',
    'source_validation': 'source validation accuracy',
    'information_maximization': 'information maximisation (nats)',
}
_KEYS = ('seed', 'stage', 'step')


class Arm(NamedTuple):
    """A finished run."""

    experiment: runs.Experiment
    place: pathlib.Path
    result: dict
    history: list[dict]
    metrics: list[dict]

    @property
    def name(self) -> str:
        """As it is written: 'source only'."""
        return self.experiment.arm.replace('_', ' ')


class Section(NamedTuple):
    """Figures under one heading."""

    title: str
    text: str
    figures: Mapping[str, 'Figure']  # {file name: figure}


def sections(arms: Sequence[Arm], data_dir: str | None) -> list[Section]:
    """Everything there is to see of arms on one task."""
    grids, maps, matrices = {}, {}, {}
    missing = []
    for arm in arms:
        experiment, seed = arm.experiment, arm.experiment.seeds[0]
        if not experiment.stages and not experiment.closed_form:
            continue
        data = experiment.data(seed, data_dir)
        classes = experiment.classes(data) if experiment.classes else ()
        if experiment.samples and (not grids or experiment.arm in tables.BASELINES):
            grids = _grids(experiment.samples(data), classes)
        held_out = experiment.held_out(data)
        try:
            matrices |= _matrix(arm, data, held_out, classes)
            maps |= _maps(arm, data, held_out, classes, len(arms) > 1)
        except runs.NotFinished as error:
            missing.append(str(error))
    if len(arms) > 1:  # before adaptation comes first
        maps = dict(sorted(maps.items(), key=lambda item: 'before' not in item[0]))
    shown = [
        Section(
            'The two domains',
            'Random images with their labels, before normalisation and augmentation; '
            'the target from its test set.',
            grids,
        ),
        _curves(arms),
        Section(
            'Features',
            'Of the first seed. t-SNE of the features of held-out source images and '
            f'target test images, at most {MAPPED} of each; each map is computed by '
            'itself. Target labels serve as colours only.',
            maps,
        ),
        Section(
            'Confusion on the target test set',
            'Of the first seed at the last step; % of each true class.',
            matrices,
        ),
        *(_training(arm) for arm in arms),
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


def _curves(arms: Sequence[Arm]) -> Section:
    drawn = {}
    for column, title in CURVES.items():
        lines = [
            figures.Curve(arm.name, seeds)
            for arm in arms
            if arm.experiment.stages and (seeds := _by_seed(arm, arm.history, column))
        ]
        if lines:
            drawn[f'curve_{column}'] = figures.curves(
                lines,
                title,
                bounds=_bounds(arms[0]) if len(arms) == 1 else None,
                percent=column != 'information_maximization',
            )
    text = (
        'The evaluations: the mean over seeds, and each seed as a thin line. '
        'Information maximisation, H(mean p) - mean H(p) of the predictions on '
        'unlabelled target training images, is the validator fixed in advance.'
    )
    return Section('Learning curves', text, drawn)


def _training(arm: Arm) -> Section:
    """Losses together, accuracies together, everything else by itself."""
    names = dict.fromkeys(k for row in arm.metrics for k in row if k not in _KEYS)
    several = len({name.rpartition('/')[0] for name in names}) > 1
    groups: dict[str, list[str]] = {}
    for name in names:
        kind = next((k for k in ('loss', 'accuracy') if name.endswith(k)), name)
        groups.setdefault(kind, []).append(name)
    titles = {'loss': 'losses', 'accuracy': 'training accuracy'}
    drawn = {}
    for kind, members in groups.items():
        lines = [
            figures.Curve(_plain(name, several), _by_seed(arm, arm.metrics, name))
            for name in members
        ]
        file = kind.rpartition('/')[2] if not several else kind.replace('/', '_')
        drawn[f'training_{arm.experiment.arm}_{file}'] = figures.curves(
            lines,
            f'{arm.name}: {titles.get(kind) or _plain(kind, several)}',
            smooth=kind in titles,
            bounds=_bounds(arm),
            percent=kind == 'accuracy',
        )
    text = (
        'Single training batches: each seed as a thin line, and a running mean of the '
        'mean over seeds.'
    )
    return Section(f'Training: {arm.name}', text, drawn)


def _matrix(arm, data, held_out, classes) -> dict[str, 'Figure']:
    """The confusion matrix of the last state."""
    experiment, seed = arm.experiment, arm.experiment.seeds[0]
    if experiment.stages:
        state = runs.restore(experiment, arm.place, seed, data)
        predict = evaluation.bind(experiment.stages[-1].method, state, 'target')
    else:
        predict = experiment.closed_form(jax.random.key(seed), data)['target']
    logits = evaluation.extract(predict, held_out.target_test, ['logits'])['logits']
    label = _labels(held_out.target_test)
    names = [_class(classes, i) for i in range(logits.shape[-1])]
    matrix = np.zeros((len(names), len(names)))
    np.add.at(matrix, (label, logits.argmax(-1)), 1)
    title = f'{arm.name}: {100 * np.trace(matrix) / matrix.sum():.1f} % right'
    drawn = figures.confusion(matrix, names, title)
    return {f'confusion_{experiment.arm}': drawn}


def _maps(arm, data, held_out, classes, several) -> dict[str, 'Figure']:
    """Features in the plane: with several arms, source only is what was before."""
    experiment, seed = arm.experiment, arm.experiment.seeds[0]
    count = len(experiment.stages)
    if count == 0 or (several and experiment.arm == tables.CEILING):
        return {}
    if several:
        before = experiment.arm in tables.BASELINES
        views = {f'before adaptation ({arm.name})' if before else arm.name: count}
    elif count > 1:
        views = {'before adaptation': count - 1, 'after adaptation': count}
    else:
        views = {'before training': 0, 'after training': count}
    answer = {}
    for title, stages in views.items():
        state = runs.restore(experiment, arm.place, seed, data, stages)
        method = experiment.stages[max(stages - 1, 0)].method
        found = _features(method, state, held_out)
        if not found:
            continue
        points = _plane({domain: features for domain, (features, _) in found.items()})
        labels = {domain: label for domain, (_, label) in found.items()}
        names = [_class(classes, i) for i in range(_count(classes, labels))]
        file = f'features_{"".join(c if c.isalnum() else "_" for c in title)}'.strip(
            '_'
        )
        answer[f'{file}_domain'] = figures.by_domain(points, f'{title}: domain')
        answer[f'{file}_class'] = figures.by_class(
            points, labels, names, f'{title}: class'
        )
    return answer


def _features(method, state, held_out) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{domain: (features (n, d), label (n,))}; empty for a method without features."""
    answer = {}
    parts = {'source': held_out.source_validation, 'target': held_out.target_test}
    for domain, batches in parts.items():
        # From all over the data, should their order mean something.
        some = [batches[i] for i in range(0, len(batches), max(1, len(batches) // 8))]
        predict = evaluation.bind(method, state, domain)
        if 'features' not in jax.eval_shape(predict, dict(some[0])):
            return {}
        features = evaluation.extract(predict, some, ['features'])['features']
        rows = np.random.default_rng(0).permutation(len(features))[:MAPPED]
        flat = features.reshape(len(features), -1)
        answer[domain] = flat[rows], _labels(some)[rows]
    return answer


def _plane(features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(n, d) of every domain to (n, 2), by PCA to 50 and t-SNE, all together."""
    import threadpoolctl
    from sklearn import decomposition, manifold  # 1 s: only where it is used

    x = np.concatenate(list(features.values())).astype(np.float64)
    most = min(50, *x.shape)
    # One thread: its threads wait for each other thousands of times, which on a busy
    # machine takes minutes instead of seconds.
    with threadpoolctl.threadpool_limits(1):
        x = decomposition.PCA(most, random_state=0).fit_transform(x)
        x /= max(x[:, 0].std(), 1e-12)
        tsne = manifold.TSNE(perplexity=min(30, (len(x) - 1) / 3), random_state=0)
        xy = tsne.fit_transform(x)
    ends = np.cumsum([len(part) for part in features.values()])[:-1]
    return dict(zip(features, np.split(xy, ends), strict=True))


def _by_seed(arm, rows, column) -> list[tuple[np.ndarray, np.ndarray]]:
    """(steps counted through all stages, values) of each seed that has any."""
    bounds = _bounds(arm)
    begins = dict(zip(bounds, [0, *bounds.values()], strict=False))
    answer = []
    for seed in arm.experiment.seeds:
        found = sorted(
            (begins[row['stage']] + row['step'], row[column])
            for row in rows
            if row['seed'] == seed and column in row and row['stage'] in begins
        )
        if found:
            steps, values = zip(*found, strict=True)
            answer.append((np.array(steps), np.array(values, float)))
    return answer


def _bounds(arm: Arm) -> dict[str, int]:
    """{stage: its last step, counted through all stages}."""
    stages = arm.experiment.stages
    ends = np.cumsum([stage.steps for stage in stages]).tolist()
    return dict(zip((stage.name for stage in stages), ends, strict=True))


def _labels(batches) -> np.ndarray:
    return np.concatenate([b['label'][np.asarray(b['mask']) > 0] for b in batches])


def _class(classes: Sequence[str], label: int) -> str:
    return classes[label] if len(classes) else str(label)


def _count(classes: Sequence[str], labels: Mapping[str, np.ndarray]) -> int:
    return len(classes) or 1 + int(max(label.max() for label in labels.values()))


def _plain(name: str, with_phase: bool) -> str:
    """'train/domain_loss' as 'domain loss', or 'train: domain loss'."""
    phase, _, rest = name.rpartition('/')
    rest = rest.replace('_', ' ')
    return f'{phase}: {rest}' if with_phase and phase else rest
