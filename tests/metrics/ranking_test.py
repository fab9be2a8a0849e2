"""Measures of ranked lists, by hand and against scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.metrics import average_precision_score

from transfer_jax import metrics

LISTS = jnp.array([[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]])


def test_average_precision_by_hand():
    found = jax.jit(metrics.average_precision)(LISTS)
    np.testing.assert_allclose(found, [(1 + 2 / 3) / 2, 1 / 4, np.nan, 1], rtol=1e-6)
    mean = metrics.mean_average_precision(LISTS)
    np.testing.assert_allclose(mean, (5 / 6 + 1 / 4 + 1) / 3, rtol=1e-6)


def test_items_beyond_a_list_cut_short_count_as_not_found():
    found = metrics.average_precision(LISTS, jnp.array([3, 1, 2, 4]))
    np.testing.assert_allclose(found, [(1 + 2 / 3) / 3, 1 / 4, 0, 2 / 4], rtol=1e-6)


def test_average_precision_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    score, relevant = rng.normal(size=(6, 40)), rng.random((6, 40)) < 0.2
    order = np.argsort(-score, 1)
    found = metrics.average_precision(np.take_along_axis(relevant, order, 1))
    expected = [
        average_precision_score(*pair) for pair in zip(relevant, score, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_recall_and_precision_by_hand():
    assert [float(metrics.recall_at(LISTS, k)) for k in (1, 3, 4)] == [0.5, 0.5, 0.75]
    assert float(metrics.precision_at(LISTS, 1)) == 0.5
    assert float(metrics.precision_at(LISTS, 2)) == 3 / 8


def test_class_accuracy_counts_every_class_alike():
    metric = metrics.class_accuracy(4)
    logits = jax.nn.one_hot(jnp.array([0, 0, 0, 1, 2]), 4)
    batch = {
        'label': jnp.array([0, 0, 0, 2, 2]),
        'mask': jnp.array([1.0, 1.0, 1.0, 1.0, 1.0]),
    }
    sums = metric.update(metric.init(), {'logits': logits}, batch)
    batch['mask'] = jnp.array([0.0, 1.0, 0.0, 0.0, 0.0])
    found = metric.compute(metric.update(sums, {'logits': logits}, batch))
    assert found == {'class_accuracy': 0.75, 'accuracy': 5 / 6, 'count': 6}
