"""Pairs of domains of photographs, seen through a network that was trained before.

The protocol of Office (Gong et al. 2012; Long et al. 2015): all images of the source
are labelled, all of the target are there without labels, and the same are tested.
Semi-supervised (Saenko et al. 2010), a few target images of each class are labelled
too, and the test is on the others.
"""

import functools
import pathlib
from typing import NamedTuple

import numpy as np

from experiments.tasks import encoders
from transfer_jax import data, runs, selection, training
from transfer_jax.data import features
from transfer_jax.training import TrainState

HELD_OUT = 0.1  # of the source, for its validation
EVALUATION_BATCH = 50
CLASSES = {'office': 10, 'pacs': 7, 'fake': 4}  # by the first word of a domain


class Pair(NamedTuple):
    """The data of one run. Target images for training have no labels to look at."""

    classes: tuple[str, ...]
    source: data.Arrays
    source_validation: data.Arrays
    target: data.Images
    target_labelled: data.Arrays | None  # by the semi-supervised protocol
    target_test: data.Arrays
    encoder: encoders.Encoder
    seed: int  # of the run, for its streams


class Task(NamedTuple):
    """Which domains, at which size, through which network."""

    source: str
    target: str
    backbone: str
    size: int
    labelled: int  # target images of each class that have labels

    def __str__(self) -> str:
        short = [name.removeprefix('office_') for name in (self.source, self.target)]
        few = f', {self.labelled} labels' if self.labelled else ''
        return f'{short[0]}_to_{short[1]}, {self.backbone} {self.size}{few}'


def load(task: Task, seed: int, data_dir: str | None) -> Pair:
    """Both domains and the network's weights.

    Raises:
      ValueError: their classes differ, or a class has too few images to label.
    """
    source, target = (
        _whole(data.load(name, size=task.size, data_dir=data_dir))
        for name in (task.source, task.target)
    )
    if source.classes != target.classes:
        raise ValueError(
            f'classes differ: {task.source} has {", ".join(source.classes)}; '
            f'{task.target} has {", ".join(target.classes)}'
        )
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
    """Classes of a domain, without reading its images.

    Raises:
      ValueError: it is none of photographs.
    """
    kind, _, rest = source.partition(':')
    place = pathlib.Path(rest).expanduser()
    if kind == 'folder' and place.is_dir():
        root = place / 'train' if (place / 'train').is_dir() else place
        return sum(data.sources.is_class(path) for path in root.iterdir())
    word = source.partition('_')[0]
    if word not in CLASSES:
        known = [n for n in data.domains.NAMED if n.partition('_')[0] in CLASSES]
        raise ValueError(
            f'no domain of photographs {source!r}; choose from {", ".join(known)}, '
            'folder:PATH'
        )
    return CLASSES[word]


def before(pair: Pair) -> TrainState:
    """The pretrained encoder, as the state that a run starts from."""
    return training.state.create(
        {'encoder': pair.encoder.params}, {'encoder': pair.encoder.model_state}, {}
    )


def held_out(pair: Pair) -> runs.HeldOut:
    """What the evaluations of a run read; at most 2,000 images for each validator."""
    scale = pair.encoder.scale

    def read(source):
        return data.batches(source, min(EVALUATION_BATCH, len(source))).map(scale)

    order = np.random.default_rng(0).permutation(len(pair.target))
    unlabelled = data.Images(pair.target.image[np.sort(order[: selection.MOST])])
    return runs.HeldOut(
        read(pair.source_validation), read(unlabelled), read(pair.target_test)
    )


def stream(pair: Pair, batch: int, *domains: str) -> data.Stream:
    """Normalised training batches of 'source', 'target' and 'target_labelled'.

    Source and labelled target images are flipped and zoomed into at random.
    """
    change = data.transforms.chain(data.transforms.flip(), data.transforms.zoom(0.5))
    make = functools.partial(_stream, batch=batch, seed=pair.seed, change=change)
    streams = {name: make(name, getattr(pair, name)) for name in domains}
    scale = pair.encoder.scale
    return data.zipped(**streams).map(scale)


def _stream(name, part, *, batch, seed, change):
    make = data.unlabelled if name == 'target' else data.labelled
    size = min(batch, len(part))
    return make(part, batch_size=size, seed=seed, transform=change, name=name)


def _whole(domain: data.Domain) -> data.Arrays:
    """Both parts of a domain as one."""
    return data.Arrays(
        np.concatenate([domain.train.image, domain.test.image]),
        np.concatenate([domain.train.label, domain.test.label]),
        domain.classes,
    )
