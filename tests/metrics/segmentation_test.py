"""Mean IoU by hand, in any split, against counts by NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import metrics

TRUTH = np.array([[[0, 0, 1], [1, 255, 0]], [[1, 1, 1], [0, 0, 0]]])
PREDICTION = np.array([[[0, 1, 1], [1, 3, 2]], [[0, 0, 0], [0, 0, 0]]])


def measure(metric, truth, outputs, mask, parts):
    sums = metric.init()
    for rows in parts:
        batch = {'label': truth[rows], 'mask': mask[rows]}
        output = {name: value[rows] for name, value in outputs.items()}
        sums = jax.jit(metric.update)(sums, output, batch)
    return metric.compute(sums)


def test_mean_iou_by_hand():
    """Image 1 is padding. Truth 0: 3 pixels, 1 correct; truth 1: 2 pixels, 2 correct.

    Class 0: 1 / 3; 1: 2 / 3; 2: predicted once but absent from the truth, 0; 3: only
    where the truth is void, so in neither: NaN.
    """
    result = measure(
        metrics.mean_iou(4),
        TRUTH,
        {'prediction': PREDICTION},
        np.array([1.0, 0.0]),
        [slice(None)],
    )
    np.testing.assert_allclose(result['iou'], [1 / 3, 2 / 3, 0, np.nan], rtol=1e-12)
    assert result['mean_iou'] == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)
    assert result['pixel_accuracy'] == pytest.approx(3 / 5)
    assert result['class_accuracy'] == pytest.approx((1 / 3 + 1) / 2)


def test_any_split_of_the_data_gives_the_same():
    rng = np.random.default_rng(0)
    truth = rng.choice([0, 1, 2, 3, 4, 255], (6, 7, 5))
    logits = rng.normal(size=(6, 7, 5, 5)).astype(np.float32)
    metric = metrics.mean_iou(5)
    whole, parts = (
        measure(metric, truth, {'logits': logits}, np.ones(6), cut)
        for cut in ([slice(None)], [slice(0, 1), slice(1, 4), slice(4, 6)])
    )
    assert whole == parts
    matrix = metrics.label_confusion(truth, logits.argmax(-1), 5)
    union = matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    np.testing.assert_allclose(whole['iou'], np.diag(matrix) / union, rtol=1e-12)


def test_counts_beyond_the_whole_numbers_of_float32_are_exact():
    metric = metrics.mean_iou(2)
    sums = metric.init()
    start = sums['confusion'].at[0, 0].set(2**24)
    sums = {**sums, 'confusion': start}
    batch = {'label': jnp.zeros((1, 1, 1), int), 'mask': jnp.ones(1)}
    sums = metric.update(sums, {'prediction': jnp.zeros((1, 1, 1), int)}, batch)
    assert int(sums['confusion'][0, 0]) == 2**24 + 1


def test_the_same_metric_is_the_same_function():
    assert metrics.mean_iou(7) is metrics.mean_iou(7)


def test_label_confusion_by_hand():
    result = metrics.label_confusion(TRUTH[0], PREDICTION[0], 4)
    expected = np.zeros((4, 4), int)
    expected[0, :3] = 1
    expected[1, 1] = 2
    np.testing.assert_array_equal(result, expected)
    whole = metrics.label_confusion(np.array([255, 0]), np.array([0, 0]), 256, None)
    assert whole[255, 0] == whole[0, 0] == 1


@pytest.mark.parametrize('truth, prediction', [(4, 0), (0, 4), (-1, 0)])
def test_a_pixel_that_is_no_class_is_named(truth, prediction):
    """Even if its pair of labels has the index of another, valid pair."""
    truth, prediction = np.full((1, 1, 2), truth), np.full((1, 1, 2), prediction)
    with pytest.raises(ValueError, match='2 pixels .* not in 0..3 .* not 255'):
        metrics.label_confusion(truth, prediction, 4)
    with pytest.raises(ValueError, match='2 pixels .* not in 0..3 .* not 255'):
        measure(
            metrics.mean_iou(4),
            truth,
            {'prediction': prediction},
            np.ones(1),
            [slice(None)],
        )


def test_maps_of_another_size_are_named():
    with pytest.raises(ValueError, match=r'\(1, 2\) for labels \(2, 2\)'):
        metrics.label_confusion(np.zeros((2, 2)), np.zeros((1, 2)), 2)
    batch = {'label': jnp.zeros((1, 2, 2), int), 'mask': jnp.ones(1)}
    with pytest.raises(ValueError, match=r'\(1, 4, 4\) for labels'):
        metric = metrics.mean_iou(2)
        metric.update(metric.init(), {'logits': jnp.zeros((1, 4, 4, 2))}, batch)
