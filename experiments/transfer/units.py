"""What the units of a network respond to, by layer (Zeiler & Fergus, ECCV 2014).

Published are pictures, not numbers: units of the first layers respond to edges and
colours, those in the middle to textures and parts, the last ones to objects (figure 2).
This experiment draws such pictures. For each unit it takes the nine images with the
largest activations and cuts them to the receptive field of the largest one; beside each
crop are the pixels that excite the unit, by guided backpropagation (Springenberg et
al., ICLR workshop 2015). One number is measured: agreement, the share of the commonest
class among a unit's nine images. Nine images drawn at random give its chance level
('drawn' in the table). No label was used to choose units or images.

    python -m experiments.transfer.units
    python -m experiments.transfer.units --config.network alexnet \
        --config.domain folder:PATH

Units are spaced evenly over the channels of a layer. Figures show the units whose nine
images stand out most, by the mean activation on them over the mean activation on all
images. The first half of a fire module's channels are 1x1 convolutions, whose receptive
field is two strides smaller. Guided backpropagation is for SqueezeNet, AlexNet and VGG,
whose rectifier can be replaced; beside the crops of others is the plain gradient.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from experiments.tasks import choices, domain_specs, photo_features
from transfer_jax import cli, data, ops, runs
from transfer_jax.evaluation import units
from transfer_jax.recipes import backbones
from transfer_jax.reports import image_grids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 40
NONE = 'drawn'  # instead of a layer: images drawn at random
GREY = 128  # outside an image


def _fields() -> dict[str, units.ReceptiveField]:
    """The receptive fields of each layer; a fire module is a 3x3 window."""
    field = units.ReceptiveField().through_layer(3, 2)
    fields = {'conv1': field}
    for number in range(2, 10):
        if number in (2, 4, 6):
            field = field.through_layer(3, 2)
        field = field.through_layer(3, padding=1)
        fields[f'fire{number}'] = field
    return fields


FIELDS = _fields()
SQUEEZENET = ('fire2', 'fire3', 'fire5', 'fire7', 'fire9')


@dataclasses.dataclass(frozen=True)
class Config:
    """Layers and units of a network, and the images that they see."""

    domain: str = 'caltech101'
    """Any domain of experiments.data; training and test images are used."""
    size: int = 224
    """Side of the images, in pixels."""
    layers: tuple[str, ...] = SQUEEZENET
    """Some of conv1, fire2, ... fire9; by default of another network five of its
    layers with maps."""
    units: int = 32
    """Units measured in each layer."""
    shown: int = 6
    """Units of each layer in the figures."""
    images: int = 9
    """Images of a unit: those with its largest activations."""
    pretrained: bool = True
    """ImageNet weights; without it, random weights."""
    network: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""


class Prepared(NamedTuple):
    """The images, the network and its responses to them."""

    image: np.ndarray  # (n, h, w, 3) uint8
    label: np.ndarray  # (n,)
    classes: tuple[str, ...]
    layer: Any  # (name, images) -> activations, rectified for guided backpropagation
    scale: Any  # uint8 images to inputs
    fields: Mapping[str, units.ReceptiveField]
    responses: Mapping[str, units.Responses]


def build(config: Config) -> runs.Study:
    """The study of a config."""
    domain_specs.check(config.domain)
    names, known = layers_of(config), maps(config.network)
    for name in names:
        choices.check('layer', name, known)
    network = 'SqueezeNet' if config.network == 'squeezenet' else config.network
    domain = domain_specs.short_name(config.domain)
    return runs.Study(
        name='transfer.units',
        config=config,
        task=f'{network} on {domain}, {config.images} images of each unit',
        trials=tuple(
            {'layer': layer, 'unit': number}
            for layer in (NONE, *names)
            for number in range(config.units)
        ),
        prepare=functools.partial(prepare, config),
        measure=functools.partial(measure, config),
        over=('unit',),
        values=('agreement',),
        pictures=functools.partial(pictures, config),
        fast=config == fast(),
    )


def maps(network: str) -> tuple[str, ...]:
    """The layers of a network up to its last map.

    Raises:
      ValueError: no such network.
    """
    if network == 'squeezenet':
        return tuple(FIELDS)
    names = photo_features.layers(network)
    return names[: names.index(backbones.get(network).last_map) + 1]


def layers_of(config: Config) -> tuple[str, ...]:
    """The layers of a config."""
    if config.network == 'squeezenet' or config.layers != SQUEEZENET:
        return config.layers
    known = maps(config.network)
    names = [name for name in photo_features.thinned(config.network) if name in known]
    return tuple(names[round(i)] for i in np.linspace(0, len(names) - 1, 5))


def prepare(config: Config, data_dir: str | None) -> Prepared:
    """The responses of all units of the layers to all images."""
    domain = data.load(config.domain, size=config.size, data_dir=data_dir)
    parts = (domain.train, domain.test)
    image = np.concatenate([part.image for part in parts])
    net, names = backbones.get(config.network), layers_of(config)
    last = max(names, key=maps(config.network).index)
    plain = net.module(classes=0, end_at=last)
    guided = functools.partial(net.module, classes=0)
    if hasattr(plain, 'relu'):
        guided = functools.partial(guided, relu=ops.guided_relu)
    if config.pretrained:
        params, state = backbones.load(config.network, data_dir)
        variables = {'params': params, **state}
    else:
        init = jax.jit(functools.partial(plain.init, train=False))
        variables = init(jax.random.key(0), image[:1] / 255.0)

    def scale(image):
        return ((image / 255 - np.array(net.mean)) / np.array(net.std)).astype('f4')

    def taps(x):
        by_layer = plain.apply(variables, x, train=False)[1]
        for name in names:
            if by_layer[name].ndim != 4:
                raise ValueError(f'{config.network}: its layer {name} has no map')
        return {name: by_layer[name] for name in names}

    def layer(name, x):
        return guided(end_at=name).apply(variables, x, train=False)[0]

    batches = (scale(image[i : i + BATCH]) for i in range(0, len(image), BATCH))
    return Prepared(
        image,
        np.concatenate([part.label for part in parts]),
        domain.classes,
        layer,
        scale,
        FIELDS
        if config.network == 'squeezenet'
        else units.receptive_fields(taps, config.size),
        units.responses(taps, batches),
    )


def measure(
    config: Config, prepared: Prepared, trial: Mapping[str, Any]
) -> dict[str, Any]:
    """The commonest class among the images of a unit, and its share."""
    if trial['layer'] == NONE:
        rng = np.random.default_rng(trial['unit'])
        images, channel = rng.permutation(len(prepared.image))[: config.images], -1
    else:
        value = prepared.responses[trial['layer']].value
        channel = _channels(config, value.shape[1])[trial['unit']]
        images = units.top_images(value[:, [channel]], config.images)[0]
    counts = np.bincount(prepared.label[images])
    return {
        'agreement': counts.max() / len(images),
        'channel': channel,
        'class': prepared.classes[counts.argmax()],
    }


def pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """A figure for each layer: a row per unit, its images beside their gradients."""
    return {name: _picture(config, prepared, name) for name in layers_of(config)}


def _picture(config: Config, prepared: Prepared, name: str) -> 'Figure':
    value, position = prepared.responses[name]
    channels = _channels(config, value.shape[1])
    contrast = units.contrast(value[:, channels], config.images)
    channels = channels[np.argsort(-contrast, kind='stable')[: config.shown]]
    top = units.top_images(value[:, channels], config.images)
    field, layer = prepared.fields[name], functools.partial(prepared.layer, name)
    gradient = jax.jit(functools.partial(units.excitation, layer))
    groups = []
    for channel, rows in zip(channels, top, strict=True):
        at, images = position[rows, channel], prepared.image[rows]
        unit = np.full(len(rows), channel)
        gradients = np.asarray(gradient(prepared.scale(images), unit, at))
        crops = [field.crop(x, p, GREY) for x, p in zip(images, at, strict=True)]
        excites = [field.crop(x, p, 0) for x, p in zip(gradients, at, strict=True)]
        excites = np.stack([_as_picture(x) for x in excites])
        groups.append((f'unit {channel}', np.stack(crops), excites))
    width = f'{field.size} x {field.size} pixels'
    title = f'{name}: strongest responses ({width}), and the pixels that excite them'
    return image_grids.beside(groups, title)


def _channels(config: Config, count: int) -> np.ndarray:
    """The measured units, spaced evenly over the channels."""
    return np.arange(config.units) * count // config.units


def _as_picture(gradient: np.ndarray) -> np.ndarray:
    """A gradient as a picture: grey is 0, its largest hundredth black or white."""
    most = max(np.quantile(np.abs(gradient), 0.99), 1e-12)
    return np.rint(127.5 * (1 + np.clip(gradient / most, -1, 1))).astype(np.uint8)


def sweep() -> Iterator[Config]:
    """The default study."""
    yield Config()


def fast() -> Config:
    """A run of seconds on generated images, with random weights."""
    return Config(
        domain='fake',
        size=32,
        layers=('fire2',),
        units=4,
        shown=2,
        images=3,
        pretrained=False,
    )


if __name__ == '__main__':
    cli.main(Config, build)
