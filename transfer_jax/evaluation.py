"""Predictions over data: measured (`evaluate`) or kept as arrays (`extract`).

A `predict` here takes one batch and returns {'logits', 'features', ...}. A deep method
is bound to its state and a domain by `bind`, a closed-form one to its fitted
parameters by jax.tree_util.Partial; everything below serves both.
"""

import collections
import functools
from collections.abc import Callable, Iterable, Sequence

import jax
import numpy as np
from jax.tree_util import Partial

from transfer_jax import metrics
from transfer_jax.training import Method, TrainState
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
) -> dict[str, np.ndarray]:
    """{layer: (n, ...)} over all batches, without the padding.

    Only the named layers leave the compiled program.

    Args:
      where_given: more layers, left out where the answers do not have them.

    Raises:
      ValueError: no such layer, naming those there are.
    """
    predict = predict if isinstance(predict, Partial) else Partial(predict)
    parts: dict[str, list[np.ndarray]] = collections.defaultdict(list)
    for batch in batches:
        real = np.asarray(batch['mask']) > 0
        found = _select(tuple(layers), tuple(where_given), predict, dict(batch))
        for layer, answers in found.items():
            parts[layer].append(np.asarray(answers)[real])
    return {layer: np.concatenate(arrays) for layer, arrays in parts.items()}


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
