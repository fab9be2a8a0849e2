"""Outputs of ImageNet classifiers, with their own batch statistics or the images'."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import models
from transfer_jax.recipes import backbones

BATCH = 40


def logits(
    network: str,
    image: np.ndarray,
    *,
    target_statistics: bool,
    pretrained: bool,
    data_dir: str | None,
) -> np.ndarray:
    """The outputs (n, 1000) of an ImageNet classifier for images (n, h, w, 3) uint8.

    Args:
      target_statistics: batch norm has the statistics of these images.
      pretrained: False for random weights.

    Raises:
      ValueError: no such backbone.
      MissingData: its weights are not in the data folder.
    """
    backbone = backbones.get(network)
    module = backbone.module(classes=1000)
    if pretrained:
        params, state = backbones.load(network, data_dir)
        variables = {'params': params, **state}
    else:
        init = jax.jit(functools.partial(module.init, train=False))
        variables = init(jax.random.key(0), jnp.zeros((1, *image.shape[1:])))
    mean, std = np.float32(backbone.mean), np.float32(backbone.std)

    def scaled(rows):
        return (image[rows].astype(np.float32) / 255 - mean) / std

    if target_statistics:
        variables = with_statistics(module, variables, scaled, len(image))
    predict = jax.jit(lambda v, x: module.apply(v, x, train=False)[0])
    outputs = []
    for first in range(0, len(image), BATCH):
        rows = np.arange(first, first + BATCH) % len(image)  # one shape for all
        outputs.append(np.asarray(predict(variables, scaled(rows))))
    return np.concatenate(outputs)[: len(image)]


def with_statistics(module, variables, scaled, n):
    """The variables with the mean statistics of shuffled batches of the images.

    A layer averages (1 - momentum) of a batch's statistics; from zeros, that is all.
    """
    zeros = jax.tree.map(jnp.zeros_like, variables['batch_stats'])
    share = 1 - models.BatchNorm.momentum

    @jax.jit
    def of_batch(x):
        start = {'params': variables['params'], 'batch_stats': zeros}
        _, after = module.apply(start, x, train=True, mutable=['batch_stats'])
        return jax.tree.map(lambda value: value / share, after['batch_stats'])

    order = np.random.default_rng(0).permutation(n)
    size = min(BATCH, n)
    batches = order[: n // size * size].reshape(-1, size)
    found = [of_batch(scaled(rows)) for rows in batches]
    averages = jax.tree.map(lambda *values: sum(values) / len(values), *found)
    return {**variables, 'batch_stats': averages}
