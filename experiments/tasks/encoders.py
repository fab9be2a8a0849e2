"""Pretrained networks as encoders: from images to the features below the classifier."""

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
    """The weights of an encoder and its preprocessing."""

    params: PyTree
    model_state: PyTree
    mean: np.ndarray  # (3,): the input is (image / 255 - mean) / std
    std: np.ndarray

    @property
    def scale(self):
        """A function of a batch: uint8 images become inputs."""
        return data.normalise(self.mean, self.std)


def build(name: str) -> nn.Module:
    """The network without its classifier.

    Raises:
      ValueError: no such backbone; the message lists them.
    """
    if name == TINY:
        return models.LayeredNet()
    return backbones.get(name).module(classes=0)


def layers(name: str) -> tuple[str, ...]:
    """Names of the layers with parameters, from the input up."""
    if name == TINY:
        return models.LayeredNet.LAYERS
    module, size = build(name), backbones.get(name).size
    params = backbones.variable_shapes(module, size)['params']
    names = backbones.layer_names(module, size)
    return tuple(layer for layer in names if layer in params)


def load(name: str, data_dir: str | None = None) -> Encoder:
    """An encoder with its pretrained weights.

    Raises:
      MissingData: the file of weights is not in the data folder.
    """
    if name == TINY:
        image = jnp.zeros((1, TINY_SIZE, TINY_SIZE, 3))
        variables = build(name).init(jax.random.key(0), image, train=False)
        half = np.full(3, 0.5, np.float32)
        return Encoder(variables['params'], {}, half, half)
    backbone = backbones.get(name)
    params, model_state = backbones.load(name, data_dir)
    below_classifier = layers(name)
    return Encoder(
        {layer: leaf for layer, leaf in params.items() if layer in below_classifier},
        model_state,
        np.array(backbone.mean, np.float32),
        np.array(backbone.std, np.float32),
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
