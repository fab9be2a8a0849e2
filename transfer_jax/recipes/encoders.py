"""Networks as encoders: from images to the features below the classifier."""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import data, evaluation, models
from transfer_jax.recipes import backbones, hub, networks, reading
from transfer_jax.types import PyTree

TINY = 'tiny'  # for runs of seconds
SMALL = 'small'  # ResNet-20 for small images
SMALL_CONVNET = 'small_convnet'  # three convolutions, for images such as digits
# Networks trained from random weights: {name: (module, side of its images)}
RANDOM = {
    TINY: (models.LayeredNet, 32),
    SMALL: (functools.partial(models.CifarResNet, classes=0), 48),
    SMALL_CONVNET: (models.SmallNet, 28),
}
BATCH = 50


class Encoder(NamedTuple):
    """The weights of an encoder and its preprocessing."""

    params: PyTree  # None: to be initialised
    model_state: PyTree
    mean: np.ndarray  # (3,): the input is (image / 255 - mean) / std
    std: np.ndarray

    @property
    def scale(self):
        """A function of a batch: uint8 images become inputs."""
        return data.normalise(self.mean, self.std)


def build(name: str, norm: str = '') -> nn.Module:
    """The network without its classifier.

    Args:
      norm: a key of networks.NORMS for a network with norm layers; '' is the network's
        own, joint statistics.

    Raises:
      ValueError: no such backbone or norm, or a norm for a network without norm layers.
    """
    fields = {}
    if norm:
        if norm not in networks.NORMS:
            known = ', '.join(networks.NORMS)
            raise ValueError(f'no norm {norm!r}; choose from {known}')
        if norm != 'none' and not has_norm(name):
            raise ValueError(
                f'{name} has no norm layers: norm {norm!r} changes nothing'
            )
        if has_norm(name) or name == TINY:
            fields['norm'] = networks.NORMS[norm]
    if is_random(name):
        module, _ = RANDOM[name]
        return module(**fields)
    return _pretrained(name).module(classes=0, **fields)


def _pretrained(name: str) -> backbones.Pretrained:
    if name not in backbones.PRETRAINED and not hub.is_hub(name):
        known = ', '.join((*backbones.PRETRAINED, SMALL, SMALL_CONVNET))
        raise ValueError(f'no backbone {name!r}; choose from {known}')
    return backbones.get(name)


def has_norm(name: str) -> bool:
    """Whether a backbone has norm layers, so that a norm policy makes a difference."""
    if is_random(name):
        return name != TINY
    backbone = _pretrained(name)
    return _has_statistics(backbone.module(classes=0), backbone.size)


@functools.cache  # a sweep asks for hundreds of experiments
def _has_statistics(module: nn.Module, size: int) -> bool:
    return 'batch_stats' in backbones.variable_shapes(module, size)


def is_random(name: str) -> bool:
    """Whether an encoder has no pretrained weights."""
    return name in RANDOM


def size(name: str) -> int:
    """The side in pixels of the images that a backbone was trained on."""
    return RANDOM[name][1] if is_random(name) else backbones.get(name).size


def layers(name: str) -> tuple[str, ...]:
    """Names of the layers with parameters, from the input up."""
    if name == TINY:
        return models.LayeredNet.LAYERS
    module, side = build(name), size(name)
    params = backbones.variable_shapes(module, side)['params']
    return tuple(x for x in backbones.layer_names(module, side) if x in params)


def load(name: str, data_dir: str | None = None, domains: int = 1) -> Encoder:
    """An encoder with its pretrained weights.

    Args:
      domains: each gets a copy of the pretrained batch statistics.

    Raises:
      MissingData: the file of weights is not in the data folder.
    """
    half = np.full(3, 0.5, np.float32)
    if name == TINY:
        image = jnp.zeros((1, size(TINY), size(TINY), 3))
        variables = build(name).init(jax.random.key(0), image, train=False)
        return Encoder(variables['params'], {}, half, half)
    if is_random(name):
        return Encoder(None, {}, half, half)
    backbone = backbones.get(name)
    params, model_state = backbones.load(name, data_dir)
    below_classifier = layers(name)
    return Encoder(
        {layer: leaf for layer, leaf in params.items() if layer in below_classifier},
        jax.tree.map(lambda x: np.repeat(x, domains, 0), model_state),
        np.array(backbone.mean, np.float32),
        np.array(backbone.std, np.float32),
    )


def extract(
    name: str, encoder: Encoder, images: np.ndarray | data.Source
) -> np.ndarray:
    """Features (n, d) float32 of images (n, h, w, 3) uint8, before any training.

    Args:
      images: an array, or a source of images of one size, which is read batch by batch.
    """
    # The network's own norm has joint statistics; those of a domain start as copies.
    state = jax.tree.map(lambda x: x[:1], encoder.model_state)
    variables = {'params': encoder.params, **state}
    predict = jax.tree_util.Partial(_features(build(name)), variables)
    source = data.Images(images) if isinstance(images, np.ndarray) else images
    read = reading.in_order(
        data.sources.without_labels(source), BATCH, encoder.scale, title=name
    )
    return evaluation.extract(predict, read, ['features'])['features']


@functools.cache  # the same function each time, so that jit reuses its program
def _features(module: nn.Module):
    def answer(variables, batch):
        return {'features': module.apply(variables, batch['image'], train=False)[0]}

    return answer
