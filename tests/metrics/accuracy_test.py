"""Accuracy and confusion by hand; padding does not count."""

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import metrics

LOGITS = jnp.asarray([[2.0, 1, 0], [0, 2, 1], [0, 2, 1], [0, 1, 2], [9, 0, 0]])
LABEL = jnp.asarray([0, 1, 2, 0, 0])
MASK = jnp.asarray([1.0, 1, 1, 1, 0])


def _over(metric, parts):
    sums = metric.init()
    for rows in parts:
        batch = {'label': LABEL[rows], 'mask': MASK[rows]}
        sums = jax.jit(metric.update)(sums, {'logits': LOGITS[rows]}, batch)
    return metric.compute(sums)


def test_accuracy_of_any_split():
    whole = _over(metrics.accuracy(), [slice(None)])
    assert whole == {'accuracy': 0.5, 'count': 4}
    assert _over(metrics.accuracy(), [slice(0, 2), slice(2, 5)]) == whole


def test_accuracy_of_nothing_is_zero_of_zero():
    metric = metrics.accuracy()
    assert metric.compute(metric.init()) == {'accuracy': 0.0, 'count': 0}


def test_confusion_has_the_truth_in_rows():
    result = _over(metrics.confusion_matrix(4), [slice(0, 2), slice(2, 5)])
    assert result['confusion'] == [
        [1, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]
    np.testing.assert_array_equal(result['per_class'], [0.5, 1, 0, np.nan])
