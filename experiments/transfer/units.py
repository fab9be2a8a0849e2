"""What the units of SqueezeNet answer to, by layer (Zeiler & Fergus, ECCV 2014).

Published are pictures, not numbers: units of the first layers answer to edges and
colours, those in the middle to textures and parts, the last ones to objects (figure 2).
The page draws such pictures: for a unit, the nine images that excite it most, cut to
what the place of its largest activation can see, and beside each what of its pixels
excites the unit, by guided backpropagation (Springenberg et al., ICLR workshop 2015).
It measures one thing of them: the agreement, which is the share of the commonest class
among a unit's nine images. By chance it is that of nine images drawn at random ('drawn'
in the table). No label was used to choose units or images.

    python -m experiments.transfer.units

Units are spaced evenly over the channels of a layer; drawn are those of them whose nine
images stand out most: their mean answer over the mean answer to all images. The first
half of a fire module's channels are 1x1 convolutions and see two strides less.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from transfer_jax import cli, data, models, ops, runs
from transfer_jax.evaluation import units
from transfer_jax.recipes import backbones
from transfer_jax.reports import image_grids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 40
NONE = 'drawn'  # in the place of a layer: images drawn at random
GREY = 128  # outside an image


def _fields() -> dict[str, units.Field]:
    """What the places of each layer see; a fire module is a 3x3 window."""
    field = units.Field().after(3, 2)
    fields = {'conv1': field}
    for number in range(2, 10):
        if number in (2, 4, 6):
            field = field.after(3, 2)
        field = field.after(3, padding=1)
        fields[f'fire{number}'] = field
    return fields


FIELDS = _fields()


@dataclasses.dataclass(frozen=True)
class Config:
    """Layers and units of SqueezeNet, and the images they are shown."""

    domain: str = 'caltech101'
    """Any domain of experiments.data; both its parts are shown."""
    size: int = 224
    """Side of the images, in pixels."""
    layers: tuple[str, ...] = ('fire2', 'fire3', 'fire5', 'fire7', 'fire9')
    """Of conv1, fire2, ... fire9."""
    units: int = 32
    """Units measured in each layer."""
    shown: int = 6
    """Units drawn of each layer."""
    images: int = 9
    """Of those that excite a unit most."""
    pretrained: bool = True
    """ImageNet weights; without, the network as it is drawn."""


class Looked(NamedTuple):
    """The images, the network and its answers to them."""

    image: np.ndarray  # (n, h, w, 3) uint8
    label: np.ndarray  # (n,)
    classes: tuple[str, ...]
    layer: Any  # (name, images) -> activations, rectified for guided backpropagation
    scale: Any  # uint8 images to what the network takes
    answers: Mapping[str, units.Answers]


def build(config: Config) -> runs.Study:
    """The study of a config."""
    for name in config.layers:
        if name not in FIELDS:
            raise ValueError(f'no layer {name!r}; choose from {", ".join(FIELDS)}')
    return runs.Study(
        name='transfer.units',
        config=config,
        task=f'SqueezeNet on {config.domain}, {config.images} images of each unit',
        cells=tuple(
            {'layer': layer, 'unit': number}
            for layer in (NONE, *config.layers)
            for number in range(config.units)
        ),
        prepare=functools.partial(prepare, config),
        measure=functools.partial(measure, config),
        over=('unit',),
        values=('agreement',),
        pictures=functools.partial(pictures, config),
        fast=config == fast(),
    )


def prepare(config: Config, data_dir: str | None) -> Looked:
    """The answers of all units of the layers to all images."""
    domain = data.load(config.domain, size=config.size, data_dir=data_dir)
    parts = (domain.train, domain.test)
    image = np.concatenate([part.image for part in parts])
    net = backbones.PRETRAINED['squeezenet']
    last = max(config.layers, key=list(FIELDS).index)
    plain = models.SqueezeNet(classes=0, end_at=last)
    guided = functools.partial(models.SqueezeNet, classes=0, relu=ops.guided_relu)
    if config.pretrained:
        params, _ = backbones.load('squeezenet', data_dir)
    else:
        init = jax.jit(functools.partial(plain.init, train=False))
        params = init(jax.random.key(0), image[:1] / 255.0)['params']

    def scale(image):
        return ((image / 255 - np.array(net.mean)) / np.array(net.std)).astype('f4')

    def taps(x):
        found = plain.apply({'params': params}, x, train=False)[1]
        return {name: found[name] for name in config.layers}

    def layer(name, x):
        return guided(end_at=name).apply({'params': params}, x, train=False)[0]

    batches = (scale(image[i : i + BATCH]) for i in range(0, len(image), BATCH))
    return Looked(
        image,
        np.concatenate([part.label for part in parts]),
        domain.classes,
        layer,
        scale,
        units.answers(taps, batches),
    )


def measure(config: Config, looked: Looked, cell: Mapping[str, Any]) -> dict[str, Any]:
    """The commonest class among the images of a unit."""
    if cell['layer'] == NONE:
        rng = np.random.default_rng(cell['unit'])
        found, channel = rng.permutation(len(looked.image))[: config.images], -1
    else:
        value = looked.answers[cell['layer']].value
        channel = _channels(config, value.shape[1])[cell['unit']]
        found = units.top(value[:, [channel]], config.images)[0]
    counts = np.bincount(looked.label[found])
    return {
        'agreement': counts.max() / len(found),
        'channel': channel,
        'class': looked.classes[counts.argmax()],
    }


def pictures(config: Config, looked: Looked) -> dict[str, 'Figure']:
    """A figure for each layer: rows of units, their images beside what excites."""
    return {name: _picture(config, looked, name) for name in config.layers}


def _picture(config: Config, looked: Looked, name: str) -> 'Figure':
    value, place = looked.answers[name]
    channels = _channels(config, value.shape[1])
    stands_out = units.contrast(value[:, channels], config.images)
    channels = channels[np.argsort(-stands_out, kind='stable')[: config.shown]]
    found = units.top(value[:, channels], config.images)
    field, layer = FIELDS[name], functools.partial(looked.layer, name)
    gradient = jax.jit(functools.partial(units.excitation, layer))
    groups = []
    for channel, images in zip(channels, found, strict=True):
        at, shown = place[images, channel], looked.image[images]
        unit = np.full(len(images), channel)
        by_pixel = np.asarray(gradient(looked.scale(shown), unit, at))
        seen = [field.crop(x, p, GREY) for x, p in zip(shown, at, strict=True)]
        excites = [field.crop(x, p, 0) for x, p in zip(by_pixel, at, strict=True)]
        excites = np.stack([_as_picture(x) for x in excites])
        groups.append((f'unit {channel}', np.stack(seen), excites))
    width = f'{field.size} x {field.size} pixels'
    title = f'{name}: where units answer most ({width}), and what in it excites them'
    return image_grids.beside(groups, title)


def _channels(config: Config, count: int) -> np.ndarray:
    """The units that are looked at, spaced evenly over the channels."""
    return np.arange(config.units) * count // config.units


def _as_picture(gradient: np.ndarray) -> np.ndarray:
    """A gradient as a picture: grey is 0, its largest hundredth black or white."""
    most = max(np.quantile(np.abs(gradient), 0.99), 1e-12)
    return np.rint(127.5 * (1 + np.clip(gradient / most, -1, 1))).astype(np.uint8)


def sweep() -> Iterator[Config]:
    """The study as it is."""
    yield Config()


def fast() -> Config:
    """A run of seconds on generated images, with a network that knows nothing."""
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
