"""Closed-form methods as runs: their evaluation, their honesty, stop and resume."""

import os
import signal

import jax
import numpy as np
import pytest
from jax.tree_util import Partial

from experiments.shallow import office_caltech, pairs
from experiments.tasks import feature_pairs
from transfer_jax import runs, shallow
from transfer_jax.data import features

PIPELINE = shallow.pipeline(shallow.subspace_alignment(3), shallow.nearest_neighbour(3))


def experiment(seeds=1):
    return runs.Experiment(
        name='shallow.test',
        config=office_caltech.fast(),
        arm='subspace_alignment',
        task='fake',
        seeds=tuple(range(seeds)),
        data=lambda seed, folder: pairs.load('fake', 'full', seed, folder),
        held_out=feature_pairs.held_out,
        closed_form=feature_pairs.closed_form(PIPELINE),
        fast=True,
    )


def test_a_run_gives_a_result_and_is_not_made_twice(tmp_path):
    result = runs.run(experiment(), tmp_path)
    assert result['fast'] and result['target_accuracy']['last']['mean'] > 0.9
    assert result['target_test_images'] == 120

    def never(key, pair):
        raise AssertionError('the seed has its row already')

    again = runs.run(experiment()._replace(closed_form=never), tmp_path)
    assert again['target_accuracy'] == result['target_accuracy']


def test_a_run_that_is_asked_to_stop_stops_after_its_seed_and_goes_on(tmp_path):
    made, whole = [], experiment(seeds=3)

    def stopping(key, pair):
        made.append(key)
        if len(made) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return whole.closed_form(key, pair)

    stopped = whole._replace(closed_form=stopping)
    with pytest.raises(runs.Interrupted):
        runs.run(stopped, tmp_path)
    assert len(made) == 1
    assert len(runs.run(stopped, tmp_path)['seeds']) == 3
    assert len(made) == 3


def test_source_and_target_are_predicted_each_in_their_way(tmp_path):
    def constant(value):
        def predict(batch):
            n = len(batch['x'])
            return {'logits': jax.nn.one_hot(np.full(n, value), 3), 'features': None}

        return Partial(predict)

    fixed = experiment()._replace(
        closed_form=lambda key, pair: {'source': constant(0), 'target': constant(1)}
    )
    runs.run(fixed, tmp_path)
    row = runs.runner.folder.Rows(tmp_path / 'history.jsonl').read()[0]
    pair = fixed.data(0, None)
    assert row['source_validation'] == pytest.approx(
        np.mean(pair.validation.label == 0)
    )
    assert row['target_test'] == pytest.approx(np.mean(pair.target_test.label == 1))


def test_source_validation_is_on_examples_its_fit_has_not_seen(same_bits):
    made = experiment()
    pair = made.data(0, None)
    out = pair.kept == 0
    assert out.sum() == len(pair.validation) == 12
    x = np.where(out[:, None], -7 * pair.source.x, pair.source.x)
    label = np.where(out, (pair.source.label + 1) % 3, pair.source.label)
    changed = features.Features(x, label, pair.source.classes)

    def parameters(pair, domain):
        predict = made.closed_form(jax.random.key(0), pair)[domain]
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
        assert pair.kept.all() and len(pair.target) == 120
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
        shallow_samples(pair.source.x, pair.source.label),
        shallow_samples(pair.target.x, np.full(len(pair.target), -1)),
    ]
    two = PIPELINE.fit(jax.random.key(0), *plain)
    logits = [PIPELINE.predict(f, {'x': pair.target.x})['logits'] for f in (one, two)]
    np.testing.assert_allclose(*logits, rtol=1e-5)
    assert feature_pairs.samples(pair.source.x).x.shape[0] in feature_pairs.SHAPES


def shallow_samples(x, label):
    from transfer_jax.types import Samples

    return Samples(x, label, np.ones(len(x)))
