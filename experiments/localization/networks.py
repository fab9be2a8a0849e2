"""Any backbone in two parts: fixed up to a layer, trained from there to its map."""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import models
from transfer_jax.models import weights
from transfer_jax.recipes import backbones
from transfer_jax.types import PyTree

AUTO = 'auto'
DENSE = ('fc6', 'fc7')  # of AlexNet and VGG, which can be made convolutions
FROZEN = functools.partial(models.BatchNorm, frozen=True)


class Network(NamedTuple):
    """A backbone up to its last map; `of` makes one.

    Attributes:
      backbone: a name of recipes.backbones.
      cut: the last layer that is fixed; '' trains all layers.
      last: the layer whose map the head reads.
      batch_statistics: norm layers of the trained part use and average the statistics
        of the batch. Otherwise they keep those of the pretrained network.
    """

    backbone: str
    cut: str
    last: str
    batch_statistics: bool = False

    @property
    def title(self) -> str:
        """For the title of a table."""
        if self == of():
            return 'SqueezeNet'
        above = f'fixed up to {self.cut}' if self.cut else 'trained as a whole'
        return f'{self.backbone} up to {self.last}, {above}'

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of all layers up to the last, in order."""
        return _layers(self.backbone, self.last)

    @property
    def fixed(self) -> tuple[str, ...]:
        """Names of the layers that are not trained."""
        return self.layers[: self.layers.index(self.cut) + 1] if self.cut else ()

    @property
    def strides(self) -> bool:
        """Whether a larger last map can be had with the same weights."""
        return hasattr(backbones.get(self.backbone).module(), 'output_stride')

    def lower(self) -> nn.Module:
        """The fixed part."""
        return self._module(end_at=self.cut)

    def upper(self) -> nn.Module:
        """The trained part."""
        return self._module(start_after=self.cut, end_at=self.last)

    def whole(self, output_stride: int | None = None) -> nn.Module:
        """Both parts.

        Args:
          output_stride: pixels of the image per position of the last map. None, and any
            number where the network has no such choice, is the network's own.
        """
        fields = {}
        if output_stride and self.strides:
            fields['output_stride'] = output_stride
        return self._module(end_at=self.last, **fields)

    def _module(self, **fields) -> nn.Module:
        if not self.batch_statistics and _has_norm(self.backbone):
            fields['norm'] = FROZEN
        return _module(self.backbone, self.last, **fields)


@functools.cache
def of(
    backbone: str = 'squeezenet',
    cut: str = AUTO,
    last: str = '',
    batch_statistics: bool = False,
) -> Network:
    """The network of a config; reads no file.

    Args:
      cut: 'auto' trains one layer, the last one with parameters.
      last: '' is the last map of the network as published. 'fc6' and 'fc7' of AlexNet
        and VGG are made convolutions (Durand et al., CVPR 2016, with VGG-16): an image
        of 224 pixels then has a map of one position, one of 448 has more.

    Raises:
      ValueError: no such backbone or layer, or a layer without a map; the message has
        the choices.
    """
    last = last or backbones.get(backbone).last_map
    known = _all_layers(backbone)
    if last not in known:
        raise ValueError(f'no layer {last!r} of {backbone}; choose from {_list(known)}')
    shape, params = _shapes(backbone, last)
    layers = _layers(backbone, last)
    if len(shape) != 4:
        raise ValueError(
            f'layer {last!r} of {backbone} gives {shape[1:]}, not a map (h, w, c); '
            f'choose from {_list(known[: known.index(last)])}'
        )
    top = max(i for i, layer in enumerate(layers) if layer in params)
    if cut == AUTO:
        cut = layers[top - 1]
    if cut and cut not in layers[:top]:
        choices = _list(layers[:top])
        raise ValueError(
            f'cut {cut!r} of {backbone}: choose from {choices}; with an empty name the '
            'whole network is trained'
        )
    return Network(backbone, cut, last, batch_statistics)


def variables(
    network: Network, data_dir: str | None, *, random: bool = False
) -> tuple[PyTree, PyTree]:
    """(parameters, other collections) of all layers up to the last.

    Args:
      random: random weights in place of the pretrained ones, for runs of seconds.

    Raises:
      MissingData: the file of weights is not in the data folder.
    """
    size = backbones.get(network.backbone).size
    if random:
        image = jnp.zeros((1, size, size, 3))
        init = jax.jit(functools.partial(network.whole().init, train=False))
        state = dict(init(jax.random.key(0), image))
        return state.pop('params'), state
    params, state = backbones.load(network.backbone, data_dir)
    if network.last in DENSE:
        window = _shapes(network.backbone, network.last)[1]['fc6']['kernel'].shape[0]
        params = weights.as_convolutions(params, window)
    return part(params, network.layers), {
        name: part(collection, network.layers) for name, collection in state.items()
    }


def part(tree: PyTree, layers: Iterable[str]) -> PyTree:
    """Those of the named layers that a collection has."""
    return {layer: leaf for layer, leaf in tree.items() if layer in layers}


def _module(backbone, last, **fields) -> nn.Module:
    if last in DENSE:
        fields['convolutional'] = True
    return backbones.get(backbone).module(classes=0, **fields)


@functools.cache
def _has_norm(backbone: str) -> bool:
    known = backbones.get(backbone)
    shapes = backbones.variable_shapes(known.module(classes=0), known.size)
    return 'batch_stats' in shapes


@functools.cache
def _shapes(backbone: str, last: str) -> tuple[tuple[int, ...], PyTree]:
    """The shape of the last layer's output, and the shapes of the parameters."""
    side = backbones.get(backbone).size
    image = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    init = _module(backbone, last, end_at=last).init_with_output
    (output, _), shapes = jax.eval_shape(
        functools.partial(init, train=False), jax.random.key(0), image
    )
    return output.shape, shapes['params']


def _all_layers(backbone: str) -> tuple[str, ...]:
    known = backbones.get(backbone)
    return backbones.layer_names(known.module(classes=0), known.size)


@functools.cache
def _layers(backbone: str, last: str) -> tuple[str, ...]:
    names = _all_layers(backbone)
    return names[: names.index(last) + 1]


def _list(names: Iterable[str]) -> str:
    return ', '.join(names)
