"""One cell of a study that trains a network: start, fit, score."""

from collections.abc import Iterable

import jax
import numpy as np

from transfer_jax import data, evaluation, metrics, training
from transfer_jax.methods.transfer.fine_tuning import Start
from transfer_jax.types import Batch

EVALUATION_BATCH = 100


def train(
    method: training.Method,
    start: Start | None,
    stream: data.Stream,
    *,
    steps: int,
    seed: int,
) -> training.TrainState:
    """The state after so many steps; a pure function of its arguments.

    Args:
      start: (fresh, None) -> first state, such as methods.start_from(...); None keeps
        the fresh one.
    """
    key = jax.random.key(seed)
    fresh = jax.jit(method.init)(jax.random.fold_in(key, 0), stream[0])
    first = fresh if start is None else start(fresh, None)
    return training.fit(method, first, stream, key=key, steps=steps)


def labelled(
    part: data.Arrays, mean: np.ndarray, *, batch: int, seed: int
) -> data.Stream:
    """Normalised training batches {'source': {'image', 'label'}}."""
    source = data.labelled(part, batch_size=batch, seed=seed, name='source')
    return data.zipped(source=source).map(data.normalise(mean))


def held_out(part: data.Arrays, mean: np.ndarray) -> data.Batches:
    """Normalised batches of a test set."""
    batch = min(EVALUATION_BATCH, len(part))
    return data.batches(part, batch).map(data.normalise(mean))


def score(
    method: training.Method,
    state: training.TrainState,
    batches: Iterable[Batch],
    classes: int,
) -> dict[str, float]:
    """'accuracy' over all examples, and 'class_accuracy', the mean over classes."""
    predict = evaluation.bind(method, state, 'source')
    found = evaluation.evaluate(predict, batches, metrics.confusion(classes))
    matrix = np.asarray(found['confusion'])
    return {
        'accuracy': float(np.trace(matrix) / matrix.sum()),
        'class_accuracy': float(np.nanmean(found['per_class'])),
    }
