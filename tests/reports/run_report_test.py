"""The report of runs: one file, with everything, and what is missing is said."""

import json
import re
import shutil

import jax
import numpy as np
import pytest

from transfer_jax import data, methods, runs
from transfer_jax.reports import figures, image_grids, run_report, sections
from transfer_jax.runs import folder
from transfer_jax.training import optim

NAMES = ('disc', 'ring', '<b>', 'dot')


@pytest.fixture(scope='module')
def kept(tmp_path_factory):
    """{arm: place of its finished run}, so that each is run once."""
    return {'': tmp_path_factory.mktemp('runs')}


@pytest.fixture
def finished(tiny, tmp_path, kept):
    """make(arm, **changes) -> (experiment, place): a copy of a finished run."""

    def make(arm='adda', **changes):
        experiment = tiny(
            arm=arm,
            seeds=(0, 1),
            fast=False,
            classes=lambda pair: NAMES,
            samples=lambda pair: {'source': pair[0].train, 'target': pair[1].test},
            **changes,
        )
        if arm not in kept:
            kept[arm] = kept[''] / arm
            runs.run(experiment, kept[arm])
        return experiment, shutil.copytree(kept[arm], tmp_path / arm)

    return make


@pytest.fixture
def quick(monkeypatch):
    """Reports without the work of drawing; the figures are still made."""
    monkeypatch.setattr(figures, 'png', lambda figure: b'')
    monkeypatch.setattr(
        sections, '_plane', lambda features: {k: v[:, :2] for k, v in features.items()}
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


def change(place, **fields):
    """Write other values into result.json."""
    file = place / 'result.json'
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def test_a_report_is_one_file_with_all_of_its_figures(finished):
    experiment, place = finished()
    page = run_report.write(experiment, place, None)
    assert page == place / 'report.html'
    text = page.read_text()
    names = {file.stem for file in (place / 'figures').iterdir()}
    assert names >= {
        'samples_source',
        'samples_target',
        'curve_target_test',
        'curve_source_validation',
        'curve_information_maximization',
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
    assert 'oracle' in text and 'target test labels' in text


def test_what_comes_from_outside_is_escaped(finished, quick):
    experiment, place = finished()
    change(place, task='<i>folder</i>', git='<i>', config={'<i>': '<i>'})
    experiment = experiment._replace(arm='<i>', task='<i>')
    text = run_report.write(experiment, place, None).read_text()
    assert '&lt;i&gt;folder' in text and '<i>' not in text


def test_arms_are_compared_before_and_after_adaptation(
    finished, one_stage, quick, tmp_path
):
    arms = [
        finished('source_only', stages=one_stage),
        finished('adda'),
        finished('train_on_target', stages=one_stage),
    ]
    page = run_report.write_many('blobs', arms, tmp_path / 'report.html')
    names = {file.stem for file in (tmp_path / 'figures').iterdir()}
    maps = {name for name in names if name.endswith('_domain')}
    assert maps == {
        'features_before_adaptation__source_only_domain',
        'features_adda_domain',
    }
    assert {'confusion_train_on_target', 'training_adda_loss'} <= names
    text = page.read_text()
    assert re.search(r'<td class="left">source only</td>', text)
    first = [text.index(f'alt="features {name}') for name in ('before', 'adda')]
    assert first == sorted(first)


def test_the_run_of_a_test_says_so(finished, quick):
    experiment, place = finished()
    change(place, fast=True)
    assert 'mean nothing' in run_report.write(experiment, place, None).read_text()


def test_a_lost_checkpoint_is_said_and_the_rest_is_shown(finished, quick):
    experiment, place = finished()
    shutil.rmtree(place / 'checkpoints')
    text = run_report.write(experiment, place, None).read_text()
    assert 'has not run to its end' in text
    assert 'alt="curve target test"' in text


def test_a_run_without_result_is_refused(tiny, tmp_path):
    with pytest.raises(folder.FolderError, match='no result yet'):
        run_report.write(tiny(), tmp_path, None)


def test_a_closed_form_has_a_table_and_a_confusion_matrix(tiny, tmp_path):
    def predict(batch):
        return {'logits': jax.nn.one_hot(batch['label'], 4)}

    def closed_form(key, pair):
        return {'source': predict, 'target': predict}

    experiment = tiny(stages=(), closed_form=closed_form, arm='copy')
    # Without labels in the target's training images this classifier has no answer.
    experiment = experiment._replace(held_out=lambda pair: _labelled(tiny(), pair))
    runs.run(experiment, tmp_path)
    text = run_report.write(experiment, tmp_path, None).read_text()
    assert '<td>100.0</td>' in text
    assert text.count('<img') == 1 and 'alt="confusion copy"' in text


def _labelled(experiment, pair):
    held_out = experiment.held_out(pair)
    return held_out._replace(target_train=held_out.target_test)


def test_the_confusion_matrix_is_of_the_target_test(finished, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        sections.figures,
        'confusion',
        lambda matrix, names, title: drawn.update(matrix=matrix, names=names),
    )
    experiment, place = finished()
    pair = experiment.data(0, None)
    sections._matrix(
        sections.Arm(experiment, place, {}, [], []),
        pair,
        experiment.held_out(pair),
        NAMES,
    )
    label = pair[1].test.label
    np.testing.assert_array_equal(
        drawn['matrix'].sum(1), np.bincount(label, minlength=4)
    )
    accuracy = np.trace(drawn['matrix']) / len(label)
    history = folder.Rows(place / 'history.jsonl').read()
    last = [row['target_test'] for row in history if row['seed'] == 0][-1]
    assert accuracy == pytest.approx(last, abs=1e-6)
    assert drawn['names'] == list(NAMES)


def test_a_feature_map_is_the_same_every_time():
    rng = np.random.default_rng(0)
    features = {
        'source': rng.normal(0, 1, (30, 8)),
        'target': rng.normal(9, 1, (20, 8)),
    }
    first, second = sections._plane(features), sections._plane(features)
    for domain, count in (('source', 30), ('target', 20)):
        assert first[domain].shape == (count, 2)
        np.testing.assert_array_equal(first[domain], second[domain])


def test_stages_follow_each_other_in_a_curve(tiny, tmp_path):
    rows = [
        {'seed': 0, 'stage': 'adapt', 'step': 2, 'a': 3.0},
        {'seed': 0, 'stage': 'source', 'step': 6, 'a': 1.0},
        {'seed': 1, 'stage': 'source', 'step': 6, 'a': 9.0},
        {'seed': 0, 'stage': 'source', 'step': 3, 'b': 1.0},
    ]
    arm = sections.Arm(tiny(), tmp_path, {}, rows, [])
    ((steps, values),) = sections._by_seed(arm, rows, 'a')
    assert steps.tolist() == [6, 8]
    assert values.tolist() == [1.0, 3.0]


def test_a_mean_is_over_the_steps_that_all_seeds_reached():
    seeds = [
        (np.array([1, 2, 3]), np.array([0.0, 2.0, 4.0])),
        (np.array([1, 3]), np.array([1.0, 2.0])),
    ]
    steps, mean = figures._mean(figures.Curve('a', seeds))
    assert steps.tolist() == [1, 3]
    assert mean.tolist() == [0.5, 3.0]


def test_a_running_mean_is_not_pulled_down_at_its_ends():
    np.testing.assert_allclose(figures._running_mean(np.ones(9), 4), np.ones(9))
    np.testing.assert_allclose(
        figures._running_mean(np.array([0.0, 3.0, 6.0]), 3), [1.5, 3.0, 4.5]
    )


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


def test_samples_stand_where_they_belong():
    image = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 4, 4, 1), np.uint8
    )
    drawn = image_grids.samples(image, list('abcde'), 'grid', columns=2)
    page = np.asarray(drawn.axes[0].images[0].get_array())
    words = [(t.get_text(), *t.get_position()) for t in drawn.axes[0].texts]
    for i, (name, x, y) in enumerate(words):
        assert name == 'abcde'[i]
        # The name is below the middle of its image.
        assert page[int(y) - 2, int(x), 0] == i + 1
    png = figures.png(drawn)
    assert png.startswith(b'\x89PNG')


def test_samples_may_be_of_a_data_set(tiny):
    source, _, _ = tiny().data(0, None)
    assert isinstance(source.train, data.Arrays)
    drawn = sections._grids({'source': source.train}, NAMES)
    texts = {t.get_text() for t in drawn['samples_source'].axes[0].texts}
    assert texts <= set(NAMES)


def test_bands_are_means_with_their_spread():
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
