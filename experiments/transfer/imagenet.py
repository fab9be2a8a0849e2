"""Top-1 and top-5 accuracy of a file of weights on ImageNet (ILSVRC 2012).

Published, one crop of the 50,000 validation images: AlexNet 56.5 / 79.1, VGG-16 71.6 /
90.4, ResNet-50 76.1 / 92.9, SqueezeNet 1.1 58.2 / 80.6 (torchvision's tables).

    python -m experiments.transfer.imagenet --config.backbone resnet50
    python -m experiments.transfer.imagenet --config.backbone resnet50 \
        --config.weights FILE --config.domain folder:PATH
    python -m experiments.transfer.imagenet --config.backbone squeezenet \
        --config.domain imagenet_samples

The usual evaluation: the shorter side scaled to 256 / 224 of the network's size, the
central square, no averaging over crops. The default domain is imagenet/val of the data
folder, the validation images in a folder for each class; folder:PATH is another such
folder. Classes are numbered by their sorted names, which are the synsets (n01440764,
...). imagenet_samples are photographs of some classes, to check a conversion; probably
they are training images. Images are decoded by threads while the network computes, or
by --config.processes. The row has the number of images and the digest of the file of
weights.
"""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from experiments.tasks import domain_specs, photo_domains
from transfer_jax import cli, data, evaluation, metrics, runs
from transfer_jax.data import files, folders
from transfer_jax.models import weights
from transfer_jax.recipes import backbones, reading

# Below the data folder: the usual one, and those of Kaggle's archive.
FOLDERS = (
    'imagenet/val',
    'imagenet/ILSVRC/Data/CLS-LOC/val',
    'ILSVRC/Data/CLS-LOC/val',
)
SAMPLES = 'imagenet_samples'
ZOOM = 256 / 224  # the shorter side over the side of the crop
BATCH = 50
TOP = 5


@dataclasses.dataclass(frozen=True)
class Config:
    """One file of weights on the validation images."""

    backbone: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    weights: str = ''
    """Its file; by default that of the data folder."""
    domain: str = 'imagenet'
    """imagenet (imagenet/val of the data folder), folder:PATH, or imagenet_samples."""
    size: int = 0
    """Side of the images in pixels; by default that of the network."""
    processes: int = 0
    """Processes that decode images; 0: threads of this one."""


class Prepared(NamedTuple):
    """The images, and the network as a function of a batch."""

    source: data.Source
    predict: Partial
    digest: str  # the first 16 digits of the SHA-256 of the file of weights


def build(config: Config) -> runs.Study:
    """The study of a config: one row."""
    if not _is_fake(config) and not backbones.get(config.backbone).classes:
        raise ValueError(f'{config.backbone} has no classifier to evaluate')
    kind, _, path = config.domain.partition(':')
    if config.domain not in ('imagenet', SAMPLES, 'fake') and not (
        kind == 'folder' and path
    ):
        raise ValueError(
            f'no domain {config.domain!r}; choose from imagenet, {SAMPLES}, folder:PATH'
        )
    return runs.Study(
        name='transfer.imagenet',
        config=config,
        task=f'{config.backbone} on {domain_specs.short_name(config.domain)}',
        trials=({'backbone': config.backbone},),
        prepare=functools.partial(prepare, config),
        measure=functools.partial(measure, config),
        over=(),
        values=('top1', 'top5'),
        fast=config == fast(),
    )


def prepare(config: Config, data_dir: str | None) -> Prepared:
    """The list of images, and the network with its weights; no image is read.

    Raises:
      MissingData: images or weights are not in the data folder.
      ValueError: a folder that does not have the classes of the network.
    """
    name = 'squeezenet' if _is_fake(config) else config.backbone
    backbone = backbones.get(name)
    module = backbone.module(classes=backbone.classes)
    size = config.size or backbone.size
    if _is_fake(config):
        init = functools.partial(module.init, train=False)
        variables = jax.jit(init)(jax.random.key(0), np.zeros((1, size, size, 3)))
        digest = ''
    else:
        path = pathlib.Path(config.weights).expanduser()
        if not config.weights:
            path = backbones.locate(name, data_dir)
        variables = _variables(name, path)
        digest = _digest(path)
    source = photographs(config.domain, size, backbone.classes, data_dir)

    def logits(variables, batch):
        return {'logits': module.apply(variables, batch['image'], train=False)[0]}

    return Prepared(source, Partial(logits, variables), digest)


def measure(
    config: Config, prepared: Prepared, trial: Mapping[str, Any]
) -> dict[str, Any]:
    """Top-1 and top-5 over all images."""
    del trial
    backbone = backbones.get('squeezenet' if _is_fake(config) else config.backbone)
    batches = reading.in_order(
        prepared.source,
        BATCH,
        data.normalise(np.float32(backbone.mean), np.float32(backbone.std)),
        title=config.backbone,
        processes=config.processes,
    )
    found = evaluation.evaluate(prepared.predict, batches, top(TOP))
    return {**found, 'sha256': prepared.digest}


def photographs(
    domain: str, size: int, classes: int, data_dir: str | None
) -> data.Source:
    """The images at the usual crop, as a source that decodes them on access.

    Raises:
      MissingData, ValueError: as `prepare`.
    """
    if domain == 'fake':
        return data.load('fake', size=size).test
    if domain == SAMPLES:
        return data.load(domain, size=size, data_dir=data_dir).test
    path = pathlib.Path(domain.removeprefix('folder:')).expanduser()
    if domain == 'imagenet':
        path = _locate(data_dir)
        if not any(data.listings.is_class(one) for one in path.iterdir()):
            # All images directly, with a list beside them.
            listed = data.lazy.load('imagenet', data_dir=data_dir).test
            return photo_domains.Resized(listed, size, ZOOM)
    listed = folders.files_by_class(path)
    data.listings.warn(path, listed.left_out)
    if len(listed.classes) != classes:
        raise ValueError(
            f'{path}: has {len(listed.classes)} folders of classes with images, the '
            f'network has {classes} classes'
        )
    source = data.lazy.ImageFiles(
        tuple(file for file, _ in listed.items),
        np.array([label for _, label in listed.items], np.int32),
        listed.classes,
    )
    return photo_domains.Resized(source, size, ZOOM)


@functools.cache  # the same functions each time, so that jit reuses its program
def top(most: int) -> metrics.Metric:
    """'top1' and, with most = 5, 'top5', and 'images', the number of images."""

    def init():
        return dict.fromkeys(('first', 'among', 'images'), jnp.zeros(()))

    def update(sums, output, batch):
        label, logits = batch['label'], output['logits']
        own = jnp.take_along_axis(logits, label[:, None], 1)
        before = jnp.arange(logits.shape[1]) < label[:, None]
        # Equal logits rank in the order of the classes.
        rank = ((logits > own) | ((logits == own) & before)).sum(1)
        return {
            'first': sums['first'] + (batch['mask'] * (rank < 1)).sum(),
            'among': sums['among'] + (batch['mask'] * (rank < most)).sum(),
            'images': sums['images'] + batch['mask'].sum(),
        }

    def compute(sums):
        count = float(sums['images'])
        return {
            'top1': float(sums['first']) / count,
            f'top{most}': float(sums['among']) / count,
            'images': int(count),
        }

    return metrics.Metric(init, update, compute)


def _variables(name, path):
    """The variables of the whole network from a file of weights."""
    backbone = backbones.get(name)
    module = backbone.module(classes=backbone.classes)
    shapes = backbones.variable_shapes(module, backbone.size)
    try:
        params, state = weights.convert(weights.read(path), shapes, backbone.mapping)
    except ValueError as error:
        raise ValueError(
            f'{path}: does not have the weights of {name} ({error})'
        ) from None
    return {'params': params, **state}


def _digest(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()[:16]


def _locate(data_dir):
    dirs = files.data_dirs(data_dir)
    for folder in dirs:
        for name in FOLDERS:
            if (folder / name).is_dir():
                return folder / name
    raise files.MissingData(
        f'{FOLDERS[0]}, the validation images of ILSVRC 2012 in folders of classes, '
        f'is missing under {", ".join(map(str, dirs))} (--data-dir, else '
        f'${files.VARIABLE}, else {files.DEFAULT_DIR}). Get them from image-net.org.'
    )


def _is_fake(config):
    return config.domain == 'fake'


def sweep() -> Iterator[Config]:
    """Every network of 1,000 classes."""
    for name, backbone in backbones.PRETRAINED.items():
        if backbone.classes == 1000:
            yield Config(name)


def fast() -> Config:
    """A run of seconds: generated images, random weights."""
    return Config(domain='fake', size=33)


if __name__ == '__main__':
    cli.main(Config, build)
