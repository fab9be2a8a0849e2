"""Predictions over a data set: measured (`evaluate`) or returned (`extract`).

Here a `predict` takes one batch and returns {'logits', 'features', ...}. `bind` makes
one from a deep method, its state and a domain; jax.tree_util.Partial makes one from a
shallow method and its fitted parameters. All functions of this module take both.
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
from transfer_jax.evaluation import feature_store, on_device
from transfer_jax.training import Method, TrainState, log
from transfer_jax.types import Batch, PyTree

Predict = Callable[[Batch], PyTree]


def bind(method: Method, state: TrainState, domain: str) -> Predict:
    """The method's prediction for images of one domain, as a function of a batch.

    Its images need the scale of the training's, which no type shows: map the batches as
    the stream was, `data.batches(...).map(data.normalise(mean))` with the same mean.
    Images in [0, 1] that were trained on as x - mean give other predictions, without an
    error.

    The state is an argument of the compiled program, not a constant. Evaluating again
    after more training therefore compiles nothing.
    """
    return Partial(_predict_domain(method.predict, domain), state)


def evaluate(
    predict: Predict, batches: Iterable[Batch], metric: metrics.Metric
) -> dict:
    """The metric over all batches. Padding (mask 0) does not count.

    Args:
      batches: dictionaries {'image', 'label', 'mask'}; arrays may be NumPy. Those that
        on_device.place returns are one dispatch.
    """
    predict = predict if isinstance(predict, Partial) else Partial(predict)
    sums = metric.init()
    if isinstance(batches, on_device.Batches):
        sums = _measure_all(
            metric.update, batches.make, predict, sums, batches.data, batches.rows
        )
        return metric.compute(sums)
    for batch in batches:
        sums = _measure(metric.update, predict, sums, dict(batch))
    return metric.compute(sums)


def extract(
    predict: Predict,
    batches: Iterable[Batch],
    layers: Sequence[str] = ('logits', 'features'),
    *,
    optional_layers: Sequence[str] = (),
    directory: str | os.PathLike | None = None,
) -> dict[str, np.ndarray]:
    """{layer: (n, ...)} over all batches, without the padding.

    Only the named layers leave the compiled program. With `directory`, every batch is
    written to .npy files once it is computed, and the returned arrays are mapped from
    those files, so memory holds one batch whatever n is. Repeating an interrupted call
    with the same folder resumes it.

    Args:
      optional_layers: further layers, left out where `predict` does not return them.
      directory: a folder for the arrays; `batches` must then have a length and an
        index, as data.batches has. The folder is identified by the layers, the
        parameters in `predict`, and the number, first and last of the batches.

    Raises:
      ValueError: no such layer (the message lists the layers), or the folder holds
        other features.
    """
    predict = predict if isinstance(predict, Partial) else Partial(predict)
    layers, optional_layers = tuple(layers), tuple(optional_layers)
    if directory is not None:
        return _extract_to_files(predict, batches, layers, optional_layers, directory)
    if isinstance(batches, on_device.Batches):
        outputs = _select_all(
            (layers, optional_layers), batches.make, predict, batches.data, batches.rows
        )
        return {k: v[: batches.items] for k, v in jax.device_get(outputs).items()}
    parts: dict[str, list[np.ndarray]] = collections.defaultdict(list)
    for batch in batches:
        real = np.asarray(batch['mask']) > 0
        outputs = _select(layers, optional_layers, predict, dict(batch))
        for layer, values in outputs.items():
            parts[layer].append(np.asarray(values)[real])
    return {layer: np.concatenate(arrays) for layer, arrays in parts.items()}


def _extract_to_files(predict, batches, layers, optional_layers, directory):
    """`extract` with a folder."""
    files = feature_store.FeatureFolder(
        directory, _digest(predict, batches, layers, optional_layers)
    )
    if files.complete:
        return files.read()
    progress = log.Progress(f'features {files.path.name}', len(batches), files.batches)
    try:
        for number in range(files.batches, len(batches)):
            batch = batches[number]
            real = np.asarray(batch['mask']) > 0
            outputs = _select(layers, optional_layers, predict, dict(batch))
            files.append({k: np.asarray(v)[real] for k, v in outputs.items()})
            progress.update(number + 1, {})
    finally:
        progress.close()
    files.finish()
    return files.read()


def _digest(predict, batches, layers, optional_layers) -> str:
    """Hash of parameters, layers, number of batches, first and last batch."""
    digest = hashlib.sha256(repr((layers, optional_layers, len(batches))).encode())
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
def _measure_all(update, make, predict, sums, data, rows):
    def act(sums, batch):
        return update(sums, predict(batch), batch), None

    return on_device.over_all(act, sums, make, data, rows)[0]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _select_all(layers, make, predict, data, rows):
    def act(carry, batch):
        return carry, _select(*layers, predict, batch)

    return on_device.over_all(act, None, make, data, rows)[1]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _select(layers, optional_layers, predict, batch):
    outputs = predict(batch)
    for layer in layers:
        if layer not in outputs:
            raise ValueError(f'no layer {layer!r}; choose from {sorted(outputs)}')
    optional = [name for name in optional_layers if outputs.get(name) is not None]
    return {layer: outputs[layer] for layer in (*layers, *optional)}


@functools.lru_cache(maxsize=64)
def _predict_domain(predict, domain):
    """The prediction for a domain; cached, so that jit compiles each only once."""

    def predict_domain(state, batch):
        images = {k: v for k, v in batch.items() if k not in ('label', 'mask')}
        return predict(state, {domain: images})[domain]

    return predict_domain
