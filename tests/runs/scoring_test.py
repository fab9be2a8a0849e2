"""A row of a history: what validators are given, from deep and shallow methods."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from transfer_jax import data, runs, selection


class Target:
    """Unlabelled vectors; the last batch of 3 is padded."""

    x = np.float32([[1, 0], [0, 1], [2, 1], [0, 3], [1, 0], [3, 2], [9, 0], [0, 2]])

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {'x': self.x[index]}


class Source(Target):
    """The same, labelled."""

    def __getitem__(self, index):
        return {'x': self.x[index], 'label': int(self.x[index].argmax())}


def _linear(features=None):
    """Class 0 where the first number is the larger one."""

    def predict(weights, batch):
        assert set(batch) - {'label', 'mask'} == {'x'}
        answer = {'logits': batch['x'] @ weights}
        return answer | ({} if features is None else {'features': features(batch['x'])})

    return Partial(predict, jnp.eye(2))


@pytest.fixture
def measured(monkeypatch):
    """measure(source, target) -> (row, the evidence it was made from)."""

    def measure(source, target, **options):
        seen = []
        score = selection.score

        def record(evidence):
            seen.append(evidence)
            return score(evidence)

        monkeypatch.setattr(selection, 'score', record)
        parts = (Source(), Target(), Source())
        held_out = runs.HeldOut(*(data.batches(part, 3) for part in parts))
        predicts = {'source': source, 'target': target}
        row = runs.measure_adaptation(predicts, held_out, **options)
        monkeypatch.setattr(selection, 'score', score)
        return row, seen[0]

    return measure


def test_mixtures_are_of_images_of_one_batch(measured):
    row, evidence = measured(_linear(), _linear())
    x, label = Target.x, Target.x.argmax(-1)
    # Labels 0 1 0 / 1 0 0 / 0 1. Sorted within its batch, the first of three has one of
    # its own class.
    partner = np.array([2, 0, 1, 4, 5, 3, 7, 6])
    for start, stop in ((0, 3), (3, 6), (6, 8)):
        np.testing.assert_array_equal(
            selection.partners(label[start:stop]) + start, partner[start:stop]
        )
    mixed = 0.55 * x + 0.45 * x[partner]
    np.testing.assert_allclose(evidence.mixed_logits, mixed, rtol=1e-6)
    np.testing.assert_array_equal(evidence.mixed_label, label)
    np.testing.assert_array_equal(evidence.mixed_same, label == label[partner])
    agree = mixed.argmax(-1) == label
    same = evidence.mixed_same
    assert row['mixval'] == (np.mean(agree[same]) + np.mean(agree[~same])) / 2
    assert row['mixval_intra'] == 1  # a linear classifier on pairs of one side


@pytest.mark.parametrize(
    'source, target',
    [
        (None, None),
        (lambda x: x[:, :1], None),
        (lambda x: x[:, :1], lambda x: x),
    ],
    ids=['none', 'of one domain', 'of other dimensions'],
)
def test_features_that_do_not_compare_are_replaced_by_logits(measured, source, target):
    row, evidence = measured(_linear(source), _linear(target), final=True)
    weight = selection.density_ratio(Source.x, Target.x)
    np.testing.assert_allclose(evidence.source_weight, weight, rtol=1e-5)
    for name in (*selection.VALIDATORS, *selection.DIAGNOSTICS, 'temperature'):
        # Every source image is correct: no temperature calibrates the logits.
        uncalibrated = name in (selection.FIXED, 'temperature')
        assert np.isfinite(row[name]) != uncalibrated, name


def test_features_of_any_rank_weigh_the_source(measured):
    def shifted(x):
        return x[:, :, None, None] + 5.0

    row, evidence = measured(_linear(lambda x: x[:, :, None, None]), _linear(shifted))
    weight = selection.density_ratio(Source.x, Target.x + 5)
    np.testing.assert_allclose(evidence.source_weight, weight, rtol=1e-5)
    assert selection.DIAGNOSTICS[0] not in row
