"""Scenes and actions by pooled score maps: WILDCAT and WELDON as classifiers.

Published, accuracy on MIT67 and 15 Scene: WELDON with VGG-16 78.0 and 94.3 (Durand et
al., CVPR 2016), WILDCAT with ResNet-101 84.0 and 94.4 (Durand et al., CVPR 2017), whose
mAP on VOC 2012 Action is 86.0. These numbers are quoted, not checked in the papers'
tables. Nothing was measured here on these data.

    python -m experiments.localization.classification
    python -m experiments.localization.classification --config.data folder:PATH

A set with one label an image is trained with the softmax loss, and measured by the
accuracy and by its mean over classes. voc2012_action has an item for each person, the
part of the image around the box, with the logistic loss for each of the actions; it is
trained on train and measured on val by the mAP of the ten actions, without 'other'.
PUBLISHED has the settings of the papers.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from experiments.localization import networks, paired, pixels, poolings, schedule, trunk
from experiments.tasks import domain_specs, training_trials
from transfer_jax import cli, data, losses, metrics, runs

ACTION = 'voc2012_action'
CROP = 1.5  # side of the shown part over that of the person's box


@dataclasses.dataclass(frozen=True)
class Config(schedule.Schedule):
    """Poolings as classifiers of images."""

    data: str = 'mit67'
    """A domain, such as mit67 or scene15, or voc2012_action, or folder:PATH."""
    k: float = 0.4
    """Highest and lowest positions of weldon and wildcat, below 1 as a share of all; 0
    is 3 positions for weldon, 0.2 for wildcat."""
    alpha: float = 1.0
    """Weight of the lowest positions of wildcat."""
    rate: float = 2.5e-4
    """Of the head: a quarter of the demo's 1e-3, see schedule.Schedule."""


# {(method, data): config}. The defaults are those of the authors' demo for MIT67
# (github.com/durandtibo/wildcat.pytorch, README); for 15 Scene and Action, the papers'
# own settings are not in that code.
PUBLISHED = {
    (method, name): Config(data=name, **fields)
    for method, fields in (('wildcat', {}), ('weldon', schedule.WELDON))
    for name in ('mit67', 'scene15', ACTION)
}


class Part(NamedTuple):
    """Images with labels (n,), or (n, c) of 1, 0 and -1 for unknown."""

    images: np.ndarray | pixels.Photos
    label: np.ndarray


class Prepared(NamedTuple):
    """What the trials read."""

    classes: tuple[str, ...]
    test: Part
    # (pooling, seed) -> scores (n, c) of the test images, computed once
    scores: Callable[[str, int], np.ndarray]


def build(config: Config) -> runs.Study:
    """The study of a config."""
    config.check(tuple(poolings.POOLINGS))
    trials = tuple(
        {'pooling': name, 'seed': seed}
        for seed in range(config.seeds)
        for name in config.poolings
    )
    scales = ', '.join(map(str, config.scales))
    values = ('mAP',) if config.data == ACTION else ('class_accuracy', 'accuracy')
    name = domain_specs.short_name(config.data)
    titles = {value: value.replace('_', ' ') for value in values}
    return runs.Study(
        name='localization.classification',
        config=config,
        task=f'{name}, {config.network.title} at {scales} pixels',
        trials=trials,
        prepare=functools.partial(_prepare, config),
        measure=_measure,
        values=values,
        figures=lambda rows: paired.draw(rows, 'pooling', 'seed', titles),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """The settings of the papers."""
    yield from PUBLISHED.values()


def fast() -> Config:
    """A run of seconds on generated images, with random weights."""
    return Config(
        data='fake',
        poolings=('weldon', 'wildcat'),
        k=0.2,
        scales=(32,),
        backbone='resnet20_cifar',
        cut=networks.AUTO,
        epochs=0.05,
        batch=8,
    )


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    classes, train, test = _parts(config, max(config.scales), data_dir)
    below = trunk.load(data_dir, config.network, random=config.data == 'fake')
    items = [
        trunk.items(below, _at(train.images, side), train.label)
        for side in config.scales
    ]
    several = train.label.ndim == 2
    loss = losses.multi_label_logistic if several else losses.cross_entropy

    @functools.cache
    def scores(pooling, seed):
        head = config.head(pooling, len(classes))
        recipe = config.recipe(loss, len(train.label))
        method = trunk.method(below.network, head, recipe)
        state = trunk.train(method, recipe, below, items, seed)
        sizes = [(side, side) for side in config.scales]
        return trunk.predict(head, below, state, test.images, sizes=sizes)['logits']

    return Prepared(classes, test, scores)


def _parts(config, side, data_dir) -> tuple[tuple[str, ...], Part, Part]:
    """(classes, training and test images)."""
    if config.data == ACTION:
        people = [
            data.voc_action.published(split, data_dir, crop=CROP)
            for split in ('train', 'val')
        ]
        parts = [Part(pixels.Photos(part, side), part.label) for part in people]
        return people[0].classes, *parts
    domain = data.load(config.data, size=side, data_dir=data_dir)
    parts = [Part(part.image, part.label) for part in (domain.train, domain.test)]
    return domain.classes, *parts


def _at(images, side):
    """The images at another size."""
    if isinstance(images, np.ndarray):
        return data.images.resize(images, side)
    return dataclasses.replace(images, side=side)


def _measure(prepared: Prepared, trial: Mapping) -> dict[str, float]:
    scores = prepared.scores(trial['pooling'], trial['seed'])
    label = prepared.test.label
    if label.ndim == 1:
        return training_trials.score_logits(scores, label, len(prepared.classes))
    counted = [i for i, name in enumerate(prepared.classes) if name != 'other']
    return {
        'mAP': metrics.voc_mean_average_precision(
            scores[:, counted], label[:, counted] > 0, ignored=label[:, counted] < 0
        )
    }


if __name__ == '__main__':
    cli.main(Config, build)
