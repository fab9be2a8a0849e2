"""Features of photographs from layers of a backbone, pooled inside the program."""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from transfer_jax import data, evaluation, ops
from transfer_jax.recipes import backbones, reading
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


def vector(x: Array) -> Array:
    """A layer without a map as it is, (n, d); the mean of tokens, (n, t, c)."""
    return x if x.ndim == 2 else jnp.mean(x, 1)


def grid_or_vector(x: Array, size: int) -> Array:
    """`grid` of a map (n, h, w, c), `vector` of all else."""
    return grid(x, size) if x.ndim == 4 else vector(x)


def layers(network: str) -> tuple[str, ...]:
    """The layers of a network below its classifier, in order.

    Raises:
      ValueError: no such network.
    """
    backbone = backbones.get(network)
    return backbones.layer_names(backbone.module(classes=0), backbone.size)


def thinned(network: str, count: int = 9) -> tuple[str, ...]:
    """About `count` layers with parameters, evenly spaced, with the first and the last.

    Raises:
      ValueError: no such network.
    """
    backbone = backbones.get(network)
    module = backbone.module(classes=0)
    params = backbones.variable_shapes(module, backbone.size)['params']
    names = [name for name in layers(network) if name in params]
    at = np.linspace(0, len(names) - 1, min(count, len(names)))
    return tuple(names[round(i)] for i in at)


def features(
    network: str,
    images: np.ndarray | data.Source,
    wanted: Mapping[str, tuple[str, Pool]],
    *,
    data_dir: str | None,
    random: int | None = None,
) -> dict[str, np.ndarray]:
    """{name: (n, ...) float32} of images (n, h, w, 3) uint8.

    Args:
      images: an array, or a source of images of one size, which is read batch by batch.
      wanted: {name: (layer, pool)}.
      random: a seed for random weights in place of the pretrained ones.

    Raises:
      ValueError: no such network or layer.
      MissingData: the pretrained weights are not in the data folder.
    """
    source = data.Images(images) if isinstance(images, np.ndarray) else images
    shape = source[0]['image'].shape
    predict, scale = predictor(network, wanted, shape, data_dir=data_dir, random=random)
    source = data.sources.without_labels(source)
    batches = reading.in_order(source, BATCH, scale, title=network)
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
