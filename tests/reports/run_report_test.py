"""The report of runs: one file with everything in it; it names what is missing."""

import json
import re
import shutil

import numpy as np
import pytest

from transfer_jax import data, methods, runs, selection
from transfer_jax.reports import (
    feature_maps,
    figures,
    image_grids,
    run_report,
    sections,
)
from transfer_jax.runs import folder
from transfer_jax.training import optim

NAMES = ('disc', 'ring', '<b>', 'dot')


@pytest.fixture(scope='module')
def run_dirs(tmp_path_factory):
    """{method: folder of its finished run}; each is run once."""
    return {'': tmp_path_factory.mktemp('runs')}


@pytest.fixture
def finished(tiny, tmp_path, run_dirs):
    """make(method, **changes) -> (experiment, run_dir): a copy of a finished run."""

    def make(method='adda', **changes):
        experiment = tiny(
            method=method,
            seeds=(0, 1),
            fast=False,
            classes=lambda pair: NAMES,
            samples=lambda pair: {'source': pair[0].train, 'target': pair[1].test},
            **changes,
        )
        if method not in run_dirs:
            run_dirs[method] = run_dirs[''] / method
            runs.run(experiment, run_dirs[method])
        return experiment, shutil.copytree(run_dirs[method], tmp_path / method)

    return make


@pytest.fixture
def quick(monkeypatch):
    """Reports without the work of drawing; the figures are still made."""
    monkeypatch.setattr(figures, 'png', lambda figure: b'')
    monkeypatch.setattr(
        feature_maps,
        'plane',
        lambda features: {domain: x[:, :2] for domain, x in features.items()},
    )


@pytest.fixture
def one_stage(tiny, networks):
    """The stages of source only."""
    encoder, classifier, _ = networks()
    tx = optim.sgd(optim.constant(0.05))
    method = methods.supervised(
        encoder, classifier, txs={'encoder': tx, 'classifier': tx}
    )
    return (tiny().stages[0]._replace(method=method),)


def change(run_dir, **fields):
    """Writes other values into result.json."""
    path = run_dir / 'result.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_report_is_one_file_with_all_of_its_figures(finished):
    experiment, run_dir = finished()
    report = run_report.write(experiment, run_dir, None)
    assert report == run_dir / 'report.html'
    text = report.read_text()
    names = {path.stem for path in (run_dir / 'figures').iterdir()}
    assert names >= {
        'samples_source',
        'samples_target',
        'curve_target_test',
        'curve_source_validation',
        f'curve_{selection.FIXED}',
        'features_before_adaptation_domain',
        'features_before_adaptation_class',
        'features_after_adaptation_domain',
        'features_after_adaptation_class',
        'confusion_adda',
        'training_adda_loss',
        'training_adda_accuracy',
    }
    assert text.count('src="data:image/png;base64,') == len(names)
    # Nothing is fetched from anywhere.
    assert not re.search(r'(src|href)="(?!data:)|url\(|@import|<script', text)
    assert 'name="viewport"' in text
    assert 'mean nothing' not in text
    assert re.search(
        r'; \d+ s a seed, \d+% of them evaluations; at most \d+.\d GB', text
    )
    assert 'oracle' in text and 'target test labels' in text


def test_what_comes_from_outside_is_escaped(finished, quick):
    experiment, run_dir = finished()
    change(run_dir, task='<i>folder</i>', git='<i>', config={'<i>': '<i>'})
    experiment = experiment._replace(method='<i>', task='<i>')
    text = run_report.write(experiment, run_dir, None).read_text()
    assert '&lt;i&gt;folder' in text and '<i>' not in text


def test_methods_are_compared_before_and_after_adaptation(
    finished, one_stage, quick, tmp_path
):
    members = [
        finished('source_only', stages=one_stage),
        finished('adda'),
        finished('train_on_target', stages=one_stage),
    ]
    report = run_report.write_many('blobs', members, tmp_path / 'report.html')
    names = {path.stem for path in (tmp_path / 'figures').iterdir()}
    maps = {name for name in names if name.endswith('_domain')}
    assert maps == {
        'features_before_adaptation__source_only_domain',
        'features_adda_domain',
    }
    assert {'confusion_train_on_target', 'training_adda_loss'} <= names
    text = report.read_text()
    assert re.search(r'<td class="left">source only</td>', text)
    first = [text.index(f'alt="features {name}') for name in ('before', 'adda')]
    assert first == sorted(first)


def test_the_run_of_a_test_says_so(finished, quick):
    experiment, run_dir = finished()
    change(run_dir, fast=True)
    assert 'mean nothing' in run_report.write(experiment, run_dir, None).read_text()


def test_a_lost_checkpoint_is_named_and_the_rest_is_shown(finished, quick):
    experiment, run_dir = finished()
    shutil.rmtree(run_dir / 'checkpoints')
    text = run_report.write(experiment, run_dir, None).read_text()
    assert 'has not run to its end' in text
    assert 'alt="curve target test"' in text


def test_a_run_without_result_is_refused(tiny, tmp_path):
    with pytest.raises(folder.FolderError, match='no result yet'):
        run_report.write(tiny(), tmp_path, None)


def test_without_features_there_is_a_confusion_matrix_and_no_feature_map(
    finished, one_stage, quick
):
    """The stage's networks are those of the run; only `predict` hides its features."""
    experiment, run_dir = finished('source_only', stages=one_stage)
    (stage,) = experiment.stages

    def logits_only(state, batch):
        answers = stage.method.predict(state, batch)
        return {domain: {'logits': of['logits']} for domain, of in answers.items()}

    method = stage.method._replace(predict=logits_only)
    experiment = experiment._replace(stages=(stage._replace(method=method),))
    text = run_report.write(experiment, run_dir, None).read_text()
    assert 'alt="confusion source only"' in text
    assert 'alt="features' not in text


def test_the_confusion_matrix_is_of_the_target_test(finished, quick, monkeypatch):
    drawn, confusion = {}, figures.confusion

    def record(matrix, names, title):
        drawn.update(matrix=matrix, names=names)
        return confusion(matrix, names, title)

    monkeypatch.setattr(figures, 'confusion', record)
    experiment, run_dir = finished()
    run_report.write(experiment, run_dir, None)
    label = experiment.data(0, None)[1].test.label
    np.testing.assert_array_equal(
        drawn['matrix'].sum(1), np.bincount(label, minlength=4)
    )
    accuracy = np.trace(drawn['matrix']) / len(label)
    history = folder.Rows(run_dir / 'history.jsonl').read()
    last = [row['target_test'] for row in history if row['seed'] == 0][-1]
    assert accuracy == pytest.approx(last, abs=1e-6)
    assert drawn['names'] == list(NAMES)


def test_a_feature_map_is_the_same_every_time():
    rng = np.random.default_rng(0)
    features = {
        'source': rng.normal(0, 1, (30, 8)),
        'target': rng.normal(9, 1, (20, 8)),
    }
    first, second = feature_maps.plane(features), feature_maps.plane(features)
    for domain, count in (('source', 30), ('target', 20)):
        assert first[domain].shape == (count, 2)
        np.testing.assert_array_equal(first[domain], second[domain])


def _curve(rows, tiny, run_dir):
    """The lines of the curve of source validation, from rows of a history."""
    run = sections.Finished(tiny(seeds=(0, 1)), run_dir, {}, rows, [])
    parts = {part.title: part.figures for part in sections.sections([run], None)}
    (axes,) = parts['Learning curves']['curve_source_validation'].axes
    return [line.get_xydata().tolist() for line in axes.lines]


def test_stages_follow_each_other_in_a_curve(tiny, tmp_path):
    name = 'source_validation'
    rows = [
        {'seed': 0, 'stage': 'adapt', 'step': 2, name: 0.3},
        {'seed': 0, 'stage': 'source', 'step': 6, name: 0.1},
        {'seed': 2, 'stage': 'source', 'step': 6, name: 0.9},
        {'seed': 0, 'stage': 'source', 'step': 3, 'target_test': 0.1},
    ]
    mean, end_of_source = _curve(rows, tiny, tmp_path)
    assert mean == [[6, 10], [8, 30]]
    assert end_of_source[0][0] == 6


@pytest.mark.parametrize('order', [1, -1])
def test_a_mean_is_over_the_steps_that_all_seeds_reached(order):
    """A seed that was interrupted has a row of metrics more."""
    seeds = [
        (np.array([1, 2, 3]), np.array([0.0, 2.0, 4.0])),
        (np.array([1, 3]), np.array([1.0, 2.0])),
    ]
    (axes,) = figures.curves([figures.Curve('a', seeds[::order])], 'title').axes
    *_, mean = axes.lines
    assert mean.get_xydata().tolist() == [[1, 0.5], [3, 3.0]]


def test_a_running_mean_is_not_pulled_down_at_its_ends():
    """Over a twentieth of the rows; at the ends over those that are there."""
    rows = 60
    for values in (np.ones(rows), np.arange(rows)):
        curve = figures.Curve('a', [(np.arange(rows), np.float64(values))])
        (axes,) = figures.curves([curve], 'title', smooth=True).axes
        mean = axes.lines[-1].get_ydata()
        np.testing.assert_allclose(mean[1:-1], values[1:-1])
        np.testing.assert_allclose(mean[0], values[:2].mean())
        np.testing.assert_allclose(mean[-1], values[-2:].mean())


@pytest.mark.parametrize('classes', [3, 16, 43])
def test_figures_serve_any_number_of_classes(classes):
    names = [f'a class of the name {i}' for i in range(classes)]
    points = {'source': np.zeros((classes, 2)), 'target': np.ones((classes, 2))}
    labels = {domain: np.arange(classes) for domain in points}
    drawn = figures.by_class(points, labels, names, 'classes')
    entries = drawn.axes[0].get_legend().get_texts()
    assert len(entries) == 2 + (classes if classes <= figures.NAMED_CLASSES else 0)
    colours = drawn.axes[0].collections[0].get_facecolors()
    assert len(np.unique(colours, axis=0)) == classes
    matrix = figures.confusion(np.eye(classes), names, 'matrix')
    assert len(matrix.axes[0].get_xticks()) == classes


def test_the_name_of_a_sample_is_below_its_image():
    image = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 4, 4, 1), np.uint8
    )
    drawn = image_grids.samples(image, list('abcde'), 'grid', columns=2)
    grid = np.asarray(drawn.axes[0].images[0].get_array())
    words = [(t.get_text(), *t.get_position()) for t in drawn.axes[0].texts]
    for i, (name, x, y) in enumerate(words):
        assert name == 'abcde'[i]
        # The name is below the middle of its image.
        assert grid[int(y) - 2, int(x), 0] == i + 1
    png = figures.png(drawn)
    assert png.startswith(b'\x89PNG')


def test_samples_may_be_of_a_data_set(tiny, tmp_path):
    source, _, _ = tiny().data(0, None)
    assert isinstance(source.train, data.Arrays)
    experiment = tiny(
        classes=lambda pair: NAMES, samples=lambda pair: {'source': pair[0].train}
    )
    run = sections.Finished(experiment, tmp_path, {}, [], [])
    parts = {part.title: part.figures for part in sections.sections([run], None)}
    grid = parts['The domains']['samples_source']
    assert {t.get_text() for t in grid.axes[0].texts} <= set(NAMES)


def test_bands_are_means_with_standard_deviations():
    figure = figures.bands(
        {'one': {1: [0.1, 0.3], 5: [0.5, 0.5]}, 'two': {1: [0.2]}},
        'title',
        'images',
        logarithmic=True,
    )
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [20, 50])
    band = axes.collections[0].get_paths()[0].vertices
    # std of 10 and 30 % is 14.14
    np.testing.assert_allclose([band[:, 1].min(), band[:, 1].max()], [5.86, 50], 1e-2)
    assert [t.get_text() for t in axes.get_xticklabels()] == ['1', '5']


def test_an_interval_is_of_the_mean():
    lines = {'one': {1: [0.1, 0.3]}}
    (axes,) = figures.bands(lines, 'title', 'images', interval=True).axes
    band = axes.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(band[:, 1].max(), 20 + 1.96 * 10, 1e-3)
