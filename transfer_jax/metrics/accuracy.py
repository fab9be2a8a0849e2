"""Metrics of single-label classification, as (init, update, compute) on sums."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np


class Metric(NamedTuple):
    """A measure over batches: sums that add up in any split of the data.

    Its makers are cached: the same metric is the same function, so that an evaluation
    finds its compiled program again.
    """

    init: Callable[[], Any]
    update: Callable[[Any, Any, Any], Any]  # (sums, output, batch) -> sums
    compute: Callable[[Any], dict[str, Any]]


@functools.cache  # the same functions each time, so that jit finds its program again
@functools.cache
def accuracy() -> Metric:
    """Share of examples whose largest logit is the label, and the count.

    The output is {'logits': (n, c)}, the batch {'label': (n,), 'mask': (n,)}.
    """

    def init():
        return {'right': jnp.zeros(()), 'count': jnp.zeros(())}

    def update(sums, output, batch):
        right = jnp.argmax(output['logits'], -1) == batch['label']
        return {
            'right': sums['right'] + jnp.sum(right * batch['mask']),
            'count': sums['count'] + jnp.sum(batch['mask']),
        }

    def compute(sums):
        count = int(sums['count'])
        return {'accuracy': int(sums['right']) / max(count, 1), 'count': count}

    return Metric(init, update, compute)


@functools.cache
@functools.cache
def confusion(classes: int) -> Metric:
    """Counts by true class (row) and predicted class (column), accuracy per class.

    Per-class accuracy is NaN for a class without examples.
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
    """Mean over classes of the accuracy on each; classes without examples left out.

    What tables of Caltech-101 report, because its classes differ in size. Also the
    accuracy over all examples, and their count.
    """
    counts = confusion(classes)

    def compute(sums):
        matrix = np.asarray(sums).astype(int)
        rows, right = matrix.sum(1), np.diag(matrix)
        each = right[rows > 0] / rows[rows > 0]
        return {
            'class_accuracy': float(each.mean()) if len(each) else float('nan'),
            'accuracy': float(right.sum() / max(rows.sum(), 1)),
            'count': int(rows.sum()),
        }

    return Metric(counts.init, counts.update, compute)
