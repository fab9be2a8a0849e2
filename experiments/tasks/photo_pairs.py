"""Pairs of photograph domains for a pretrained network.

The protocol of Office (Gong et al. 2012; Long et al. 2015): training sees all source
images with labels and all target images without; the test is on the same target images.
The semi-supervised protocol (Saenko et al. 2010) also labels a few target images of
each class; the test is on the others.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np

from experiments.tasks import domain_specs
from transfer_jax import data, runs
from transfer_jax.adapt import photographs
from transfer_jax.data import features
from transfer_jax.recipes import encoders

HELD_OUT = 0.1  # share of the source that is held out for validation
CLASSES = {'office': 10, 'pacs': 7, 'fake': 4}  # by the first word of a domain


class Pair(NamedTuple):
    """The data of one run. The type of the target's training images has no labels."""

    classes: tuple[str, ...]
    source: data.Arrays
    source_validation: data.Arrays
    target: data.Images
    target_labelled: data.Arrays | None  # only by the semi-supervised protocol
    target_test: data.Arrays
    encoder: encoders.Encoder
    seed: int  # of the run, for its streams


class Task(NamedTuple):
    """A pair of domains, the network and the image size."""

    source: str
    target: str
    backbone: str
    size: int
    labelled: int  # labelled target images of each class

    def __str__(self) -> str:
        short = [
            domain_specs.short_name(name).removeprefix('office_')
            for name in (self.source, self.target)
        ]
        few = f', {self.labelled} labels' if self.labelled else ''
        return f'{short[0]}_to_{short[1]}, {self.backbone} {self.size}{few}'


def load(task: Task, seed: int, data_dir: str | None) -> Pair:
    """Loads both domains and the network's weights.

    Raises:
      ValueError: the classes differ, or a class has too few images to label.
    """
    source, target = (
        data.load(name, size=task.size, data_dir=data_dir)
        for name in (task.source, task.target)
    )
    target = data.class_names.match(source, target)
    source, target = _whole(source), _whole(target)
    order = np.random.default_rng([seed, 1]).permutation(len(source))
    cut = round(HELD_OUT * len(source))
    labelled, test = None, target
    if task.labelled:
        rows = features.draw_per_class(
            target.label, task.labelled, seed, target.classes
        )
        labelled = target.take(rows)
        test = target.take(np.setdiff1d(np.arange(len(target)), rows))
    return Pair(
        source.classes,
        source.take(order[cut:]),
        source.take(order[:cut]),
        data.Images(test.image),
        labelled,
        test,
        encoders.load(task.backbone, data_dir),
        seed,
    )


def count_classes(source: str) -> int:
    """Classes of a domain; reads no image.

    Those of a published set (Office-31, ...) are counted in the data folder of the
    environment; elsewhere they are as published.

    Raises:
      ValueError: it is not a domain of photographs; the message lists these.
    """
    folder = domain_specs.existing_path(source, 'folder')
    if folder and folder.is_dir():
        return domain_specs.count_folder_classes(folder)
    if source.startswith('folder:'):
        raise ValueError(f'{source.removeprefix("folder:")}: there is no such folder')
    if source in data.published.SETS:
        return data.published.count_classes(source)
    word = source.partition('_')[0]
    if word not in CLASSES:
        known = [n for n in data.domains.NAMED if n.partition('_')[0] in CLASSES]
        known += data.published.SETS
        raise ValueError(
            f'no domain of photographs {source!r}; choose from {", ".join(known)}, '
            'folder:PATH'
        )
    return CLASSES[word]


def classes_of(source: str, given: int = 0) -> int:
    """`given`, or the classes of a domain of photographs, a folder or an .npz file.

    Raises:
      ValueError: no such domain, or one whose classes have to be given.
    """
    if given:  # data.load refuses an unknown name
        return given
    file = domain_specs.existing_path(source, 'npz')
    if file:
        return len(data.npz.class_names(file))
    try:
        return count_classes(source)
    except ValueError as error:
        if not source.startswith('folder:'):
            domain_specs.check(source)
        raise ValueError(
            f'{error}; the classes of others are given by --config.classes'
        ) from None


def filled(
    encoder: encoders.Encoder, module: nn.Module, side: int, seed: int
) -> encoders.Encoder:
    """The pretrained weights for a network with norm layers or layers of its own.

    Statistics and affine parameters are copied to every domain; what the pretrained
    network lacks is drawn by the seed. `side` is that of its images.
    """
    if encoder.params is None:  # all layers are drawn
        return encoder
    image = np.zeros((1, side, side, 3), np.float32)
    init = jax.jit(functools.partial(module.init, train=False))
    fresh = dict(jax.device_get(init(jax.random.key(seed), image)))

    def fill(fresh, given):
        if isinstance(fresh, Mapping):
            return {
                key: fill(part, given[key]) if key in given else part
                for key, part in fresh.items()
            }
        return np.broadcast_to(given, fresh.shape)

    params = fill(fresh.pop('params'), encoder.params)
    return encoder._replace(params=params, model_state=fill(fresh, encoder.model_state))


# A Pair has the fields of Photographs that these read.
before, held_out = photographs.before, photographs.held_out


def inputs(task: Task, pair: Pair) -> runs.Inputs:
    """How a photograph becomes an input of the fine-tuned network."""
    height, width, channels = pair.source.image.shape[1:]
    mean, std = (
        tuple(float(v) for v in np.ravel(part))
        for part in (pair.encoder.mean, pair.encoder.std)
    )
    zoom = data.domains.zoom(task.target)
    return runs.Inputs((height, width), channels, mean, std, zoom)


def stream(pair: Pair, batch: int, *domains: str) -> data.Stream:
    """Normalised training batches of 'source', 'target' or 'target_labelled'.

    All images are flipped and zoomed into at random.
    """
    transform = data.transforms.chain(data.transforms.flip(), data.transforms.zoom(0.5))
    make = functools.partial(_stream, batch=batch, seed=pair.seed, transform=transform)
    streams = {name: make(name, getattr(pair, name)) for name in domains}
    return data.zipped(**streams).map(pair.encoder.scale)


def _stream(name, part, *, batch, seed, transform):
    make = data.unlabelled if name == 'target' else data.labelled
    size = min(batch, len(part))
    return make(part, batch_size=size, seed=seed, transform=transform, name=name)


def _whole(domain: data.Domain) -> data.Arrays:
    """Both parts of a domain as one."""
    return data.Arrays(
        np.concatenate([domain.train.image, domain.test.image]),
        np.concatenate([domain.train.label, domain.test.label]),
        domain.classes,
    )
