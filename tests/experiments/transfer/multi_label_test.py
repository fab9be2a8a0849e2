"""SVMs of several labels an image, and their choice of C on the training images."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.transfer import augmented_svm
from transfer_jax import shallow
from transfer_jax.types import Samples


def test_with_one_label_each_it_is_the_svm_of_one_label():
    rng = np.random.default_rng(0)
    x, label = rng.normal(size=(30, 5)), np.arange(30) % 3
    found = shallow.multi_label_svm(x, np.eye(3, dtype=int)[label], (0.5, 2.0))
    for i, cost in enumerate((0.5, 2.0)):
        svm = shallow.linear_svm(3, cost)
        expected = svm.fit(jax.random.key(0), Samples(x, label, np.ones(30)), None)
        np.testing.assert_allclose(found.weight[i], expected.weight, atol=1e-4)
        np.testing.assert_allclose(found.bias[i], expected.bias, atol=1e-4)


def test_an_example_that_does_not_count_for_a_class_changes_nothing_there():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20, 4))
    label = (rng.random((20, 2)) < 0.5).astype(int)
    label[0, 0] = -1
    found = shallow.multi_label_svm(x, label, (1.0,))
    without = shallow.multi_label_svm(x[1:], label[1:], (1.0,))
    both = shallow.multi_label_svm(x, np.maximum(label, 0), (1.0,))
    np.testing.assert_allclose(
        found.weight[0, :, 0], without.weight[0, :, 0], atol=1e-4
    )
    np.testing.assert_allclose(found.weight[0, :, 1], both.weight[0, :, 1], atol=1e-4)
    assert np.abs(found.weight[0, :, 0] - both.weight[0, :, 0]).max() > 1e-3


def test_a_cost_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match='cost 0: must be positive'):
        shallow.multi_label_svm(np.zeros((2, 1)), np.zeros((2, 1), int), (0,))


def test_average_precision_is_that_of_the_ranking():
    """Ranked yes, no, yes: the precisions 1 and 2/3 at recalls of 1/2 and 1."""
    scores = np.array([[3.0], [2.0], [1.0], [9.0]])
    label = np.array([[1], [0], [1], [-1]])
    found = augmented_svm.average_precision(scores, label)
    np.testing.assert_allclose(found['mAP'], (1 + 2 / 3) / 2)
    np.testing.assert_allclose(found['voc07'], (6 + 5 * 2 / 3) / 11)


def test_the_cost_is_chosen_without_the_test_images():
    config = dataclasses.replace(augmented_svm.fast(), data='fake_voc')
    study = augmented_svm.build(config)
    assert study.values == ('voc07', 'mAP')
    assert [trial['n'] for trial in study.trials] == [0, 0, 0]
    prepared = study.prepare(None)
    assert prepared.label.shape == (12, 3) and prepared.train.shape[:2] == (12, 16)
    row = study.measure(prepared, study.trials[0])
    flipped = prepared._replace(test_label=1 - prepared.test_label)
    other = study.measure(flipped, study.trials[0])
    assert row['cost'] == other['cost'] and row['mAP'] != other['mAP']
    last = study.measure(prepared, study.trials[-1])
    assert 0 <= last['voc07'] <= 1


def test_a_folder_without_lists_is_named(tmp_path):
    config = dataclasses.replace(augmented_svm.fast(), data=f'voc:{tmp_path}')
    with pytest.raises(
        ValueError, match='ImageSets/Main: needs trainval.txt and test.txt'
    ):
        augmented_svm.build(config).prepare(None)
