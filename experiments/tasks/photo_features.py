"""Features of photographs from layers of a backbone, pooled inside the program."""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from transfer_jax import data, evaluation, ops
from transfer_jax.recipes import backbones
from transfer_jax.types import Array

BATCH = 32
Pool = Callable[[Array], Array]  # (n, h, w, c) -> (n, d)


def average(x: Array) -> Array:
    """The mean over positions, (n, h, w, c) -> (n, c)."""
    return jnp.mean(x, (1, 2))


def gem(x: Array) -> Array:
    """The generalised mean with p = 3, (n, h, w, c) -> (n, c)."""
    return ops.gem_pool(x, 3.0)


def grid(x: Array, size: int) -> Array:
    """Concatenated means over size x size parts, (n, h, w, c) -> (n, size^2 c)."""
    return ops.average_pool(x, size).reshape(x.shape[0], -1)


def features(
    network: str,
    images: np.ndarray,
    wanted: Mapping[str, tuple[str, Pool]],
    *,
    data_dir: str | None,
    random: int | None = None,
) -> dict[str, np.ndarray]:
    """{name: (n, ...) float32} of images (n, h, w, 3) uint8.

    Args:
      wanted: {name: (layer, pool)}.
      random: a seed for random weights in place of the pretrained ones.

    Raises:
      ValueError: no such network or layer.
      MissingData: the pretrained weights are not in the data folder.
    """
    predict, scale = predictor(
        network, wanted, images.shape[1:], data_dir=data_dir, random=random
    )
    batches = data.batches(data.Images(images), min(BATCH, len(images))).map(scale)
    return evaluation.extract(predict, batches, tuple(wanted))


def predictor(
    network: str,
    wanted: Mapping[str, tuple[str, Pool]],
    shape: tuple[int, int, int],
    *,
    data_dir: str | None,
    random: int | None = None,
) -> tuple[Partial, Callable]:
    """(a function of a batch for evaluation.extract, the scale of its images).

    Args:
      shape: (h, w, 3) of an image, to initialise random weights.
      wanted, random: and errors, as in features.
    """
    backbone = backbones.get(network)
    module = backbone.module(classes=0)
    if random is None:
        params, model_state = backbones.load(network, data_dir)
        variables = {'params': params, **model_state}
    else:
        init = jax.jit(functools.partial(module.init, train=False))
        variables = init(jax.random.key(random), jnp.zeros((1, *shape)))

    def predict(variables, batch):
        _, taps = module.apply(variables, batch['image'], train=False)
        for layer, _ in wanted.values():
            if layer not in taps:
                raise ValueError(f'no layer {layer!r}; there are: {", ".join(taps)}')
        return {name: pool(taps[layer]) for name, (layer, pool) in wanted.items()}

    scale = data.normalise(np.float32(backbone.mean), np.float32(backbone.std))
    return Partial(predict, variables), scale
