"""Metrics of single-label classification, as (init, update, compute) on sums."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np


class Metric(NamedTuple):
    """A measure over batches, from sums that do not depend on how the data are split.

    The functions that make metrics are cached. Equal metrics are then the same
    functions, and an evaluation reuses its compiled program.
    """

    init: Callable[[], Any]
    update: Callable[[Any, Any, Any], Any]  # (sums, output, batch) -> sums
    compute: Callable[[Any], dict[str, Any]]


@functools.cache  # the same functions each time, so that jit reuses its program
def accuracy() -> Metric:
    """Share of examples whose largest logit is that of the label, and their count.

    The output is {'logits': (n, c)}, the batch {'label': (n,), 'mask': (n,)}.
    """

    def init():
        return {'correct': jnp.zeros(()), 'count': jnp.zeros(())}

    def update(sums, output, batch):
        correct = jnp.argmax(output['logits'], -1) == batch['label']
        return {
            'correct': sums['correct'] + jnp.sum(correct * batch['mask']),
            'count': sums['count'] + jnp.sum(batch['mask']),
        }

    def compute(sums):
        count = int(sums['count'])
        return {'accuracy': int(sums['correct']) / max(count, 1), 'count': count}

    return Metric(init, update, compute)


@functools.cache
def confusion_matrix(classes: int) -> Metric:
    """Counts by true class (row) and predicted class (column), and accuracy per class.

    {'confusion', 'per_class'}; the accuracy of a class without examples is NaN.
    """

    def init():
        return jnp.zeros((classes, classes))

    def update(sums, output, batch):
        predicted = jnp.argmax(output['logits'], -1)
        return sums.at[batch['label'], predicted].add(batch['mask'])

    def compute(sums):
        matrix = np.asarray(sums).astype(int)
        rows = matrix.sum(1)
        per_class = [
            float(matrix[i, i] / rows[i]) if rows[i] else float('nan')
            for i in range(classes)
        ]
        return {'confusion': matrix.tolist(), 'per_class': per_class}

    return Metric(init, update, compute)


@functools.cache
def class_accuracy(classes: int) -> Metric:
    """Mean of the accuracies per class, without the classes that have no examples.

    Tables of Caltech-101 report it, because its classes differ in size. The result also
    holds the accuracy over all examples, and their count.
    """
    counts = confusion_matrix(classes)

    def compute(sums):
        matrix = np.asarray(sums).astype(int)
        rows, correct = matrix.sum(1), np.diag(matrix)
        each = correct[rows > 0] / rows[rows > 0]
        return {
            'class_accuracy': float(each.mean()) if len(each) else float('nan'),
            'accuracy': float(correct.sum() / max(rows.sum(), 1)),
            'count': int(rows.sum()),
        }

    return Metric(counts.init, counts.update, compute)
