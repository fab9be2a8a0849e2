"""One trial of a study that trains a network: start, fit, score."""

from collections.abc import Callable, Iterable

import jax
import numpy as np

from transfer_jax import data, evaluation, metrics, training
from transfer_jax.methods.transfer.fine_tuning import Start
from transfer_jax.recipes import reading
from transfer_jax.types import Batch

Scale = Callable[[Batch], Batch]  # uint8 images to inputs


def train(
    method: training.Method,
    start: Start | None,
    stream: data.Stream,
    *,
    steps: int,
    seed: int,
) -> training.TrainState:
    """The state after `steps` steps; a pure function of its arguments.

    Args:
      start: (fresh, None) -> first state, such as methods.start_from(...); None starts
        from the fresh state.
    """
    key = jax.random.key(seed)
    fresh = jax.jit(method.init)(jax.random.fold_in(key, 0), stream[0])
    first = fresh if start is None else start(fresh, None)
    return training.fit(method, first, stream, key=key, steps=steps)


def labelled(
    part: data.Source,
    scale: Scale,
    *,
    batch: int,
    seed: int,
    transform: data.transforms.Transform | None = None,
    processes: int = 0,
) -> data.Stream:
    """Training batches {'source': {'image', 'label'}}, scaled as the network expects.

    Images that are not in memory are read by several threads, or by processes.

    Args:
      scale: such as data.normalise(mean).
    """
    in_memory = isinstance(part, data.Arrays)
    source = data.labelled(
        part,
        batch_size=batch,
        seed=seed,
        transform=transform,
        name='source',
        threads=1 if in_memory or processes else reading.THREADS,
        processes=0 if in_memory else processes,
    )
    return data.zipped(source=source).map(scale)


def score(
    method: training.Method,
    state: training.TrainState,
    batches: Iterable[Batch],
    classes: int,
) -> dict[str, float]:
    """'accuracy' over all examples, and 'class_accuracy', the mean over classes."""
    predict = evaluation.bind(method, state, 'source')
    found = evaluation.evaluate(predict, batches, metrics.confusion_matrix(classes))
    matrix = np.asarray(found['confusion'])
    return {
        'accuracy': float(np.trace(matrix) / matrix.sum()),
        'class_accuracy': float(np.nanmean(found['per_class'])),
    }


def score_logits(
    logits: np.ndarray, label: np.ndarray, classes: int
) -> dict[str, float]:
    """The same scores from logits (n, c) and labels (n,)."""
    hits = logits.argmax(1) == label
    each = [hits[label == i].mean() for i in range(classes) if (label == i).any()]
    return {'accuracy': float(hits.mean()), 'class_accuracy': float(np.mean(each))}
