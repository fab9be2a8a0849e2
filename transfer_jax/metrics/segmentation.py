"""Measures of label maps, from pixel counts."""

import functools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from transfer_jax.metrics.accuracy import Metric

VOID = 255


@functools.cache  # the same functions each time, so that jit reuses its program
def mean_iou(classes: int, void: int | None = VOID) -> Metric:
    """Mean intersection over union of the classes, from the counts n_ij of all pixels.

    With n_ij pixels of class i that are predicted as class j, t_i = sum_j n_ij and
    p_i = sum_j n_ji (Long et al., CVPR 2015, section 5):

        iou_i = n_ii / (t_i + p_i - n_ii), NaN for a class that is neither in the truth
            nor in the prediction;
        mean_iou, the mean of the iou_i that are not NaN, so that a class which is
            predicted but absent from the truth counts as 0;
        class_accuracy, mean of n_ii / t_i over the classes in the truth;
        pixel_accuracy = sum_i n_ii / sum_i t_i.

    The output is {'logits': (n, h, w, c)} or {'prediction': (n, h, w)}, the batch
    {'label': (n, h, w), 'mask': (n,)}. Pixels whose label is `void` do not count.
    Counts are int32, so each pair of classes must have fewer than 2^31 pixels.

    Raises:
      ValueError: in `update`, when label and prediction differ in size; in `compute`,
        when a pixel's label or prediction was no class.
    """

    def init():
        return {
            'confusion': jnp.zeros((classes, classes), jnp.int32),
            'invalid': jnp.zeros((), jnp.int32),
        }

    def update(sums, output, batch):
        if 'prediction' in output:
            predicted = jnp.asarray(output['prediction'])
        else:
            predicted = jnp.argmax(output['logits'], -1)
        truth = jnp.asarray(batch['label'])
        _check(truth, predicted)
        counted = jnp.broadcast_to(batch['mask'][:, None, None] > 0, truth.shape)
        if void is not None:
            counted &= truth != void
        valid = (truth >= 0) & (truth < classes)
        valid &= (predicted >= 0) & (predicted < classes)
        pair = truth.astype(jnp.int32) * classes + predicted.astype(jnp.int32)
        pair = jnp.where(counted & valid, pair, classes**2)
        counts = jnp.bincount(pair.ravel(), length=classes**2 + 1)[:-1]
        return {
            'confusion': sums['confusion']
            + counts.reshape(classes, classes).astype(jnp.int32),
            'invalid': sums['invalid'] + jnp.sum(counted & ~valid, dtype=jnp.int32),
        }

    def compute(sums):
        _refuse_invalid(int(sums['invalid']), classes, void)
        return confusion_scores(sums['confusion'])

    return Metric(init, update, compute)


def label_confusion(
    truth: np.ndarray, prediction: np.ndarray, classes: int, void: int | None = VOID
) -> np.ndarray:
    """Label maps of one shape -> (c, c) int64, pixels by true and predicted class.

    Pixels whose true label is `void` do not count.

    Raises:
      ValueError: a label is no class, or the two maps differ in size.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    _check(truth, prediction)
    counted = np.ones(truth.shape, bool) if void is None else truth != void
    truth = truth[counted].astype(np.int64)
    prediction = prediction[counted].astype(np.int64)
    valid = (
        (truth >= 0) & (truth < classes) & (prediction >= 0) & (prediction < classes)
    )
    _refuse_invalid(int((~valid).sum()), classes, void)
    counts = np.bincount(truth * classes + prediction, minlength=classes**2)
    return counts.reshape(classes, classes)


def confusion_scores(
    confusion: np.ndarray, over: Sequence[int] | None = None
) -> dict[str, Any]:
    """(c, c) pixels by true and predicted class -> the scores of `mean_iou`.

    Matrices of `label_confusion` may be added first, image by image: of any sizes, and
    without the limit of int32.

    Args:
      over: the classes of the two means, by default all: SYNTHIA's mean over 13 of 16
        classes. Pixels of the others count nevertheless where they are taken for one
        of these.
    """
    matrix = np.asarray(confusion).astype(np.int64)
    correct, true, predicted = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    each = _ratio(correct, true + predicted - correct)
    rows = np.arange(len(matrix)) if over is None else np.asarray(over, int)
    return {
        'mean_iou': _mean(each[rows]),
        'iou': each.tolist(),
        'pixel_accuracy': float(_ratio(correct.sum(), true.sum())),
        'class_accuracy': _mean(_ratio(correct, true)[rows]),
        'count': int(true.sum()),
    }


def _check(truth, prediction):
    if truth.shape != prediction.shape:
        raise ValueError(f'a prediction {prediction.shape} for labels {truth.shape}')


def _refuse_invalid(count, classes, void):
    if count:
        raise ValueError(
            f'{count} pixels whose label or prediction is not in 0..{classes - 1} '
            f'and whose label is not {void}'
        )


def _ratio(part, whole):
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _mean(values):
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else float('nan')
