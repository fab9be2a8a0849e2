"""Predictions over data: measured (`evaluate`) or kept as arrays (`extract`).

A `predict` here takes one batch and returns {'logits', 'features', ...}. A deep method
is bound to its state and a domain by `bind`, a closed-form one to its fitted
parameters by jax.tree_util.Partial; everything below serves both.
"""

import collections
import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence

import jax
import numpy as np
from jax.tree_util import Partial

from transfer_jax import metrics
from transfer_jax.evaluation import feature_store
from transfer_jax.training import Method, TrainState, log
from transfer_jax.types import Batch, PyTree

Predict = Callable[[Batch], PyTree]


def bind(method: Method, state: TrainState, domain: str) -> Predict:
    """The method's answers for images of one domain, as a function of a batch.

    The state is an argument of the compiled program, not a constant: evaluating again
    after more steps does not compile again.
    """
    return Partial(_under(method.predict, domain), state)


def evaluate(
    predict: Predict, batches: Iterable[Batch], metric: metrics.Metric
) -> dict:
    """The metric over all batches; padding (mask 0) does not count.

    Args:
      batches: of {'image', 'label', 'mask'}; arrays may be NumPy.
    """
    predict = predict if isinstance(predict, Partial) else Partial(predict)
    sums = metric.init()
    for batch in batches:
        sums = _measure(metric.update, predict, sums, dict(batch))
    return metric.compute(sums)


def extract(
    predict: Predict,
    batches: Iterable[Batch],
    layers: Sequence[str] = ('logits', 'features'),
    *,
    where_given: Sequence[str] = (),
    into: str | os.PathLike | None = None,
) -> dict[str, np.ndarray]:
    """{layer: (n, ...)} over all batches, without the padding.

    Only the named layers leave the compiled program. With `into`, each batch goes to
    .npy files as soon as it is done, and the arrays are mapped from them: one batch is
    in memory, whatever n is. The same call on the same folder goes on where it was
    stopped.

    Args:
      where_given: more layers, left out where the answers do not have them.
      into: a folder for the arrays; `batches` must then have a length and an index, as
        data.batches has. It is known by the layers, the parameters in `predict` and the
        number, first and last of the batches.

    Raises:
      ValueError: no such layer, naming those there are, or a folder of other features.
    """
    predict = predict if isinstance(predict, Partial) else Partial(predict)
    if into is not None:
        return _stream(predict, batches, tuple(layers), tuple(where_given), into)
    parts: dict[str, list[np.ndarray]] = collections.defaultdict(list)
    for batch in batches:
        real = np.asarray(batch['mask']) > 0
        found = _select(tuple(layers), tuple(where_given), predict, dict(batch))
        for layer, answers in found.items():
            parts[layer].append(np.asarray(answers)[real])
    return {layer: np.concatenate(arrays) for layer, arrays in parts.items()}


def _stream(predict, batches, layers, where_given, into):
    """`extract` to a folder."""
    files = feature_store.FeatureFolder(
        into, _digest(predict, batches, layers, where_given)
    )
    if files.complete:
        return files.read()
    progress = log.Progress(f'features {files.place.name}', len(batches), files.batches)
    try:
        for number in range(files.batches, len(batches)):
            batch = batches[number]
            real = np.asarray(batch['mask']) > 0
            found = _select(layers, where_given, predict, dict(batch))
            files.append({k: np.asarray(v)[real] for k, v in found.items()})
            progress.update(number + 1, {})
    finally:
        progress.close()
    files.finish()
    return files.read()


def _digest(predict, batches, layers, where_given) -> str:
    """Of what is extracted: parameters, layers, number of batches, first and last."""
    digest = hashlib.sha256(repr((layers, where_given, len(batches))).encode())
    ends = [dict(batches[number]) for number in (0, len(batches) - 1)]
    for path, leaf in jax.tree_util.tree_leaves_with_path((predict.args, ends)):
        leaf = np.asarray(leaf)
        name = jax.tree_util.keystr(path)
        digest.update(repr((name, leaf.shape, leaf.dtype.str)).encode())
        digest.update(leaf.tobytes())
    return digest.hexdigest()


@functools.partial(jax.jit, static_argnums=0)
def _measure(update, predict, sums, batch):
    return update(sums, predict(batch), batch)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _select(layers, where_given, predict, batch):
    answers = predict(batch)
    for layer in layers:
        if layer not in answers:
            raise ValueError(f'no layer {layer!r}; there are: {sorted(answers)}')
    given = [layer for layer in where_given if answers.get(layer) is not None]
    return {layer: answers[layer] for layer in (*layers, *given)}


@functools.lru_cache(maxsize=64)
def _under(predict, domain):
    """A stable function object, so that compiled programs are found again."""

    def answer(state, batch):
        images = {k: v for k, v in batch.items() if k not in ('label', 'mask')}
        return predict(state, {domain: images})[domain]

    return answer
