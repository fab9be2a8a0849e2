"""The page of closed-form methods: its protocols, its honesty, its runs."""

import os
import signal

import jax
import numpy as np
import pytest
from jax.tree_util import Partial

from experiments.adaptation import subspace_alignment as page
from transfer_jax import running, watching
from transfer_jax.data import features


def test_a_run_gives_a_result_and_is_not_made_twice(tmp_path):
    experiment = page.build(page.fast())
    result = running.run(experiment, tmp_path)
    assert result['fast'] and result['target_accuracy']['last']['mean'] > 0.9
    assert result['target_test_images'] == 60

    def never(key, pair):
        raise AssertionError('the seed has its row already')

    again = running.run(experiment._replace(closed_form=never), tmp_path)
    assert again['target_accuracy'] == result['target_accuracy']


def test_a_run_that_is_asked_to_stop_stops_after_its_seed_and_goes_on(tmp_path):
    config = page.Config(pair='fake', dimension=3, protocol='oc20', seeds=3)
    # As many examples in all classes as are drawn: leave some for the validation.
    experiment = page.build(config)._replace(
        data=lambda seed, folder: page.load('fake', 'full', seed, folder)
    )
    made = []

    def stopping(key, pair):
        made.append(key)
        if len(made) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return experiment.closed_form(key, pair)

    stopped = experiment._replace(closed_form=stopping)
    with pytest.raises(watching.Interrupted):
        running.run(stopped, tmp_path)
    assert len(made) == 1
    assert len(running.run(stopped, tmp_path)['seeds']) == 3
    assert len(made) == 3


def test_source_and_target_are_predicted_each_in_their_way(tmp_path):
    def constant(value):
        def predict(batch):
            n = len(batch['x'])
            return {'logits': jax.nn.one_hot(np.full(n, value), 3), 'features': None}

        return Partial(predict)

    experiment = page.build(page.fast())._replace(
        closed_form=lambda key, pair: {'source': constant(0), 'target': constant(1)}
    )
    running.run(experiment, tmp_path)
    row = running.folder.Rows(tmp_path / 'history.jsonl').read()[0]
    pair = experiment.data(0, None)
    assert row['source_validation'] == pytest.approx(
        np.mean(pair.validation.label == 0)
    )
    assert row['target_test'] == pytest.approx(np.mean(pair.target_test.label == 1))


def test_source_validation_is_on_examples_its_fit_has_not_seen(same_bits):
    experiment = page.build(page.fast())
    pair = experiment.data(0, None)
    out = pair.kept == 0
    assert out.sum() == len(pair.validation) == 6
    x = np.where(out[:, None], -7 * pair.source.x, pair.source.x)
    label = np.where(out, (pair.source.label + 1) % 3, pair.source.label)
    changed = features.Features(x, label, pair.source.classes)

    def parameters(pair, domain):
        predict = experiment.closed_form(jax.random.key(0), pair)[domain]
        return predict.args[0].alignment

    other = pair._replace(source=changed)
    same_bits(parameters(pair, 'source'), parameters(other, 'source'))
    one, two = (parameters(p, 'target').source for p in (pair, other))
    assert np.abs(np.asarray(one) - np.asarray(two)).max() > 1e-3


def test_the_unlabelled_target_carries_no_label():
    experiment = page.build(page.fast())
    held_out = experiment.held_out(experiment.data(0, None))
    assert set(held_out.target_train[0]) == {'x', 'mask'}
    assert set(held_out.target_test[0]) == {'x', 'label', 'mask'}


def test_draws_take_20_of_each_source_class_and_leave_the_target_whole(monkeypatch):
    monkeypatch.setattr(
        features,
        'office_caltech10',
        lambda domain, folder: features.fake(0.0, n=90 if domain == 'dslr' else 120),
    )
    for name, count in (('C-A', 20), ('D-A', 8)):
        pair = page.load(name, 'oc20', 0, None)
        assert np.bincount(pair.source.label).tolist() == [count] * 3
        assert pair.kept.all() and len(pair.target) == 120
        rows = {row.tobytes() for row in pair.source.x}
        assert not rows & {row.tobytes() for row in pair.validation.x}
        other = page.load(name, 'oc20', 1, None)
        assert rows != {row.tobytes() for row in other.source.x}


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'pair': 'C-C'}, 'C-A'),
        ({'method': 'nothing'}, 'subspace_alignment, none'),
        ({'protocol': 'half'}, 'full, oc20'),
        ({'seeds': 3}, 'draws nothing'),
        ({'dimension': 0}, 'dimension 0'),
    ],
)
def test_a_config_that_cannot_be_is_refused_at_the_start(fields, message):
    with pytest.raises(ValueError, match=message):
        page.build(page.Config(**fields))
