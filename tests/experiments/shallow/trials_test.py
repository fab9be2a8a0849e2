"""Trials of shallow methods: what is fitted, what is scored, stop and resume."""

import os
import signal

import jax
import numpy as np
import pytest
from jax.tree_util import Partial

from experiments.shallow import office_caltech, pairs, recipes, trials
from experiments.tasks import feature_pairs
from transfer_jax import runs, shallow
from transfer_jax.data import features
from transfer_jax.types import Samples

PIPELINE = shallow.pipeline(shallow.subspace_alignment(3), shallow.nearest_neighbour(3))


def test_a_study_gives_a_result_and_is_not_measured_twice(tmp_path):
    study = office_caltech.build(office_caltech.fast())
    result, _ = runs.run_study(study, tmp_path)
    row = result['rows'][-1]
    assert result['fast'] and row['method'] == 'subspace_alignment'
    assert row['accuracy'] > 0.9 and row['images'] == 120

    def never(prepared, trial):
        raise AssertionError('the trial has its row already')

    again, _ = runs.run_study(study._replace(measure=never), tmp_path)
    assert again['rows'] == result['rows']


def test_a_study_that_is_asked_to_stop_stops_after_its_trial_and_goes_on(tmp_path):
    study = office_caltech.build(office_caltech.fast())
    measured = []

    def stopping(prepared, trial):
        measured.append(trial)
        if len(measured) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return study.measure(prepared, trial)

    stopped = study._replace(measure=stopping)
    with pytest.raises(runs.Interrupted):
        runs.run_study(stopped, tmp_path)
    assert len(measured) == 1
    result, _ = runs.run_study(stopped, tmp_path)
    assert len(result['rows']) == len(measured) == 2


def test_a_pipeline_is_made_once_and_dropped_for_another_method():
    pipelines = trials.Pipelines()
    first = pipelines.get('pca', 3)
    assert pipelines.get('pca', 3) is first
    assert pipelines.get('pca', 3, 1) is not first
    assert pipelines.get('pca', 3) is first
    pipelines.get('none', 3)
    assert pipelines.get('pca', 3) is not first


@pytest.mark.parametrize('name', recipes.OFFICE['semi'][:3])
def test_baselines_read_their_part_of_the_labels(name):
    """Source only, target only, and both, as the semi-supervised protocol has them."""
    pair = pairs.load('fake', 'semi', 0)
    read = recipes.RECIPES[name].sees(pair)
    if name == 'target_only':
        assert read.source is pair.target_labelled and read.in_fit.all()
        assert len(read.in_fit) == len(read.source)
    else:
        assert read.source is pair.source
    assert (read.target_labelled is None) == (name != 'none')


def test_source_and_target_are_predicted_each_in_their_way():
    def constant(value):
        def predict(batch):
            n = len(batch['x'])
            return {'logits': jax.nn.one_hot(np.full(n, value), 3), 'features': None}

        return Partial(predict)

    pair = pairs.load('fake', 'full', 0)
    predicts = {'source': constant(0), 'target': constant(1)}
    row = runs.measure_adaptation(predicts, feature_pairs.held_out(pair))
    assert row['source_validation'] == pytest.approx(
        np.mean(pair.validation.label == 0)
    )
    assert row['target_test'] == pytest.approx(np.mean(pair.target_test.label == 1))


def test_source_validation_is_on_examples_its_fit_has_not_seen(same_bits):
    pair = pairs.load('fake', 'full', 0)
    out = pair.in_fit == 0
    assert out.sum() == len(pair.validation) == 12
    x = np.where(out[:, None], -7 * pair.source.x, pair.source.x)
    label = np.where(out, (pair.source.label + 1) % 3, pair.source.label)
    changed = features.Features(x, label, pair.source.classes)

    def parameters(pair, domain):
        predict = feature_pairs.predicts(PIPELINE)(jax.random.key(0), pair)[domain]
        return predict.args[0].alignment

    other = pair._replace(source=changed)
    same_bits(parameters(pair, 'source'), parameters(other, 'source'))
    one, two = (parameters(p, 'target').source for p in (pair, other))
    assert np.abs(np.asarray(one) - np.asarray(two)).max() > 1e-3


def test_the_unlabelled_target_carries_no_label():
    held_out = feature_pairs.held_out(pairs.load('fake', 'semi', 0))
    assert set(held_out.target_train[0]) == {'x', 'mask'}
    assert set(held_out.target_test[0]) == {'x', 'label', 'mask'}


@pytest.fixture
def domains(monkeypatch):
    def read(domain, folder):
        return features.fake(0.0, n=90 if domain == 'dslr' else 120)

    monkeypatch.setattr(features, 'office_caltech10', read)


def test_draws_take_20_of_each_source_class_and_leave_the_target_whole(domains):
    for name, count in (('C-A', 20), ('D-A', 8)):
        pair = pairs.load(name, 'oc20', 0)
        assert np.bincount(pair.source.label).tolist() == [count] * 3
        assert pair.in_fit.all() and len(pair.target) == 120
        rows = {row.tobytes() for row in pair.source.x}
        assert not rows & {row.tobytes() for row in pair.validation.x}
        other = pairs.load(name, 'oc20', 1)
        assert rows != {row.tobytes() for row in other.source.x}


def test_labelled_target_examples_are_no_part_of_the_test(domains):
    pair = pairs.load('A-D', 'semi', 0)
    assert np.bincount(pair.target_labelled.label).tolist() == [3] * 3
    assert len(pair.target) == len(pair.target_test) == 81
    rows = {row.tobytes() for row in pair.target_labelled.x}
    assert not rows & {row.tobytes() for row in pair.target_test.x}
    assert pairs.load('A-D', 'oc20', 0).target_labelled is None


def test_padding_to_a_shape_changes_no_prediction():
    pair = pairs.load('fake', 'oc20', 0)
    one = feature_pairs.fit(PIPELINE, jax.random.key(0), pair)
    plain = [
        unpadded(pair.source.x, pair.source.label),
        unpadded(pair.target.x, np.full(len(pair.target), -1)),
    ]
    two = PIPELINE.fit(jax.random.key(0), *plain)
    logits = [PIPELINE.predict(f, {'x': pair.target.x})['logits'] for f in (one, two)]
    np.testing.assert_allclose(*logits, rtol=1e-5)
    assert feature_pairs.samples(pair.source.x).x.shape[0] in feature_pairs.SHAPES


def unpadded(x, label):
    return Samples(x, label, np.ones(len(x)))
