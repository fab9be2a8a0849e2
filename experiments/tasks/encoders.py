"""Pretrained networks as encoders: images to the features below the classifier."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import data, evaluation, models
from transfer_jax.recipes import backbones
from transfer_jax.types import PyTree

TINY = 'tiny'  # random weights, for runs of seconds
TINY_SIZE = 32
BATCH = 50


class Encoder(NamedTuple):
    """The weights of an encoder, and the scale of its inputs."""

    params: PyTree
    model_state: PyTree
    mean: np.ndarray  # (3,): the input is (image / 255 - mean) / std
    std: np.ndarray

    @property
    def scale(self):
        """f(batch): uint8 images become inputs."""
        return data.normalise(self.mean, self.std)


def build(name: str) -> nn.Module:
    """The network, without its classifier.

    Raises:
      ValueError: there is none, naming those there are.
    """
    if name == TINY:
        return models.LayeredNet()
    return _known(name).module(classes=0)


def layers(name: str) -> tuple[str, ...]:
    """Names of the layers that have parameters, the lowest first."""
    if name == TINY:
        return models.LayeredNet.LAYERS
    params = backbones.shapes(build(name), _known(name).size)['params']
    names = backbones.layer_names(build(name), _known(name).size)
    return tuple(layer for layer in names if layer in params)


def load(name: str, data_dir: str | None = None) -> Encoder:
    """The pretrained weights of an encoder.

    Raises:
      MissingData: their file is not in the data folder.
    """
    if name == TINY:
        image = jnp.zeros((1, TINY_SIZE, TINY_SIZE, 3))
        variables = build(name).init(jax.random.key(0), image, train=False)
        half = np.full(3, 0.5, np.float32)
        return Encoder(variables['params'], {}, half, half)
    chosen = _known(name)
    params, model_state = backbones.load(name, data_dir)
    own = layers(name)
    return Encoder(
        {layer: leaf for layer, leaf in params.items() if layer in own},
        model_state,
        np.array(chosen.mean, np.float32),
        np.array(chosen.std, np.float32),
    )


def extract(name: str, encoder: Encoder, images: np.ndarray) -> np.ndarray:
    """Features (n, d) float32 of images (n, h, w, 3) uint8."""
    module = build(name)

    def answer(variables, batch):
        return {'features': module.apply(variables, batch['image'], train=False)[0]}

    variables = {'params': encoder.params, **encoder.model_state}
    predict = jax.tree_util.Partial(answer, variables)
    batches = data.batches(data.Images(images), min(BATCH, len(images)))
    read = batches.map(encoder.scale)
    return evaluation.extract(predict, read, ['features'])['features']


def _known(name: str) -> backbones.Pretrained:
    if name not in backbones.PRETRAINED:
        choices = ', '.join(backbones.PRETRAINED)
        raise ValueError(f'no backbone {name!r}; choose from {choices}')
    return backbones.PRETRAINED[name]
