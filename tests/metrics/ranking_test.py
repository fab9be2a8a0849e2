"""Measures of ranked lists, by hand and against scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from transfer_jax import metrics

LISTS = jnp.array([[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]])


def test_average_precision_by_hand():
    result = jax.jit(metrics.average_precision)(LISTS)
    np.testing.assert_allclose(result, [(1 + 2 / 3) / 2, 1 / 4, np.nan, 1], rtol=1e-6)
    mean = metrics.mean_average_precision(LISTS)
    np.testing.assert_allclose(mean, (5 / 6 + 1 / 4 + 1) / 3, rtol=1e-6)


def test_items_beyond_a_truncated_list_count_as_not_retrieved():
    result = metrics.average_precision(LISTS, jnp.array([3, 1, 2, 4]))
    np.testing.assert_allclose(result, [(1 + 2 / 3) / 3, 1 / 4, 0, 2 / 4], rtol=1e-6)


def test_average_precision_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    score, relevant = rng.normal(size=(6, 40)), rng.random((6, 40)) < 0.2
    order = np.argsort(-score, 1)
    result = metrics.average_precision(np.take_along_axis(relevant, order, 1))
    expected = [
        average_precision_score(*pair) for pair in zip(relevant, score, strict=True)
    ]
    np.testing.assert_allclose(result, expected, rtol=1e-5)


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
    result = metric.compute(metric.update(sums, {'logits': logits}, batch))
    assert result == {'class_accuracy': 0.75, 'accuracy': 5 / 6, 'count': 6}


SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
RELEVANT = np.array([1, 0, 0, 1, 1])  # precision 1, 1/2, 1/3, 2/4, 3/5; envelope 1, 3/5


def test_voc_average_precision_by_hand():
    assert metrics.voc_average_precision(SCORES, RELEVANT) == pytest.approx(
        (1 + 3 / 5 + 3 / 5) / 3
    )
    # recall 0 .. 0.3 is reached at precision 1, 0.4 .. 1 at 3/5
    assert metrics.voc_average_precision(SCORES, RELEVANT, points=11) == pytest.approx(
        (4 + 7 * 3 / 5) / 11
    )


def test_voc_average_precision_does_not_depend_on_the_order_of_examples():
    order = np.array([3, 0, 4, 2, 1])
    for points in ('all', 11):
        assert metrics.voc_average_precision(
            SCORES[order], RELEVANT[order], points=points
        ) == metrics.voc_average_precision(SCORES, RELEVANT, points=points)


def test_a_recall_of_three_tenths_counts_at_the_point_three_tenths():
    """The first 3 of 10 positives: recall 0, 0.1, 0.2 and 0.3 have precision 1."""
    result = metrics.voc_average_precision(
        np.array([3.0, 2.0, 1.0]), np.ones(3), points=11, total=10
    )
    assert result == pytest.approx(4 / 11)


def test_positives_missing_from_a_list_count_as_never_retrieved():
    result = metrics.voc_average_precision(SCORES, RELEVANT, total=6)
    assert result == pytest.approx((1 + 3 / 5 + 3 / 5) / 6)
    assert metrics.voc_average_precision(SCORES, 0 * RELEVANT, total=2) == 0


@pytest.mark.parametrize('points', ['all', 11])
def test_ignored_examples_are_as_if_not_there(points):
    ignored = np.array([False, True, False, True, False])
    without = metrics.voc_average_precision(
        SCORES[~ignored], RELEVANT[~ignored], points=points
    )
    marked = metrics.voc_average_precision(
        SCORES, RELEVANT, ignored=ignored, points=points
    )
    negative = metrics.voc_average_precision(
        SCORES, np.where(ignored, -1, RELEVANT), points=points
    )
    assert without == marked == negative
    assert without != metrics.voc_average_precision(SCORES, RELEVANT, points=points)


@pytest.mark.parametrize(
    'scores',
    [
        np.array([0, 10, 5], np.uint8),
        np.array([0, 2**64 - 1, 5], np.uint64),
        np.array([-128, 127, 5], np.int8),
        np.array([False, True, False]),
        np.array([0, 10, 5], np.float16),
    ],
    ids=lambda scores: str(scores.dtype),
)
def test_scores_of_every_type_rank_alike(scores):
    relevant = np.array([0, 1, 0])
    assert metrics.voc_average_precision(scores, relevant) == 1
    assert metrics.voc_mean_average_precision(scores[:, None], relevant[:, None]) == 1
    first = np.array([1, 0, 0])  # ranked last, or behind `5` where there are only two
    last = 1 / 2 if scores.dtype == bool else 1 / 3
    assert metrics.voc_average_precision(scores, first) == pytest.approx(last)


def test_equal_scores_rank_in_the_order_of_the_examples():
    tied = np.zeros(2)
    assert metrics.voc_average_precision(tied, np.array([1, 0])) == 1
    assert metrics.voc_average_precision(tied, np.array([0, 1])) == 0.5


def test_voc_mean_leaves_out_classes_without_a_positive():
    scores = np.stack([SCORES, SCORES, SCORES], 1)
    relevant = np.stack([RELEVANT, 0 * RELEVANT, np.ones(5)], 1)
    assert np.isnan(metrics.voc_average_precision(SCORES, 0 * RELEVANT))
    mean = metrics.voc_mean_average_precision(scores, relevant)
    assert mean == pytest.approx((11 / 15 + 1) / 2)
    marked = np.zeros((5, 3), bool)
    marked[1:3, 0] = True
    mean = metrics.voc_mean_average_precision(scores, relevant, ignored=marked)
    assert mean == 1
    assert np.isnan(metrics.voc_mean_average_precision(scores, 0 * relevant))


@pytest.mark.parametrize(
    'change, culprit',
    [
        ({'points': 10}, 'points 10'),
        ({'scores': np.array([0.1, np.nan, 0, 0, 0])}, 'scores: 1 of them'),
        ({'relevant': np.ones(4)}, r'relevant \(4,\)'),
        ({'total': 2}, 'total 2: there are 3'),
    ],
)
def test_voc_average_precision_names_what_is_wrong(change, culprit):
    with pytest.raises(ValueError, match=culprit):
        metrics.voc_average_precision(
            **{'scores': SCORES, 'relevant': RELEVANT, **change}
        )
