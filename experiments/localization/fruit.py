"""Localising fruit from image labels alone: six poolings and a cascade.

Published on PASCAL VOC 2012, which is not used here: pointwise localisation 74.5 by max
pooling (Oquab et al., CVPR 2015), 77.7 by ProNet (Sun et al., CVPR 2016), 82.9 by
WILDCAT (Durand et al., CVPR 2017). No number is published for these 300 photographs of
apples, bananas and oranges.

    python -m experiments.localization.fruit
    python -m experiments.localization.fruit --config.scales 224 320
    python -m experiments.table localization

All poolings have the same backbone, schedule and folds. A fold trains on four fifths of
all images, whatever their original split, and is measured on the remaining fifth at the
last step. Images are stretched to squares.

  mAP        as in VOC 2010 and later; `voc07` is the 11-point form
  pointwise  AP of Oquab et al. with 18 pixels of tolerance
  hit rate   share of present classes whose point is on the object
  corloc     of the box around the largest part of a map above 20 % of its maximum
  top1       share of images whose best class is present and localised by that box

The centre row has the scores of average pooling and points at the middle of the image:
a baseline without any map. Pooling pronet is the lse network with a second network on
the boxes that it proposes.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.localization import (
    cascade,
    measures,
    networks,
    paired,
    poolings,
    trunk,
)
from experiments.tasks import choices
from transfer_jax import cli, data, losses, runs
from transfer_jax.reports import overlays

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CENTRE, PRONET = 'centre', 'pronet'
PAIRS = paired.Pairs('pooling', 'fold', 'max', ('mAP', 'pointwise', 'corloc'))
FOLD_SEED = 0
SHOWN = 5  # images of a report


@dataclasses.dataclass(frozen=True)
class Config:
    """Poolings on a data set of photographs with boxes, by folds."""

    data: str = 'fruit_voc'
    """fruit_voc, or voc:PATH, a folder with JPEGImages, Annotations and ImageSets.
    voc_lenient:PATH mends small faults of its annotations and warns."""
    poolings: tuple[str, ...] = (CENTRE, *poolings.POOLINGS, PRONET)
    """centre, average, max, lse, spleap, weldon, wildcat, pronet."""
    scales: tuple[int, ...] = (224,)
    """Sides of the images in pixels: training takes them in turn, testing averages the
    scores and maps of all."""
    folds: int = 5
    steps: int = 200
    batch: int = 16
    rate: float = 3e-3
    """Adam's rate of the head, ten times that of the backbone; it rises over a tenth of
    the steps and falls to 0 as a cosine."""
    backbone: str = 'squeezenet'
    """A name of recipes.backbones."""
    cut: str = networks.AUTO
    """The last fixed layer; auto trains one layer, '' the whole network."""


class Images(NamedTuple):
    """What training and testing read."""

    images: np.ndarray  # (n, side, side, 3) uint8 at the largest scale
    label: np.ndarray  # (n, c)
    folds: Sequence[np.ndarray]  # rows of each fold's test images
    trunk: trunk.Trunk
    items: Sequence[trunk.Items]  # of each scale


class Prepared(NamedTuple):
    """What the trials read."""

    photos: data.voc.Annotated
    images: Images
    # (pooling, fold) -> prediction of the fold's test images, computed once
    localize: Callable[[str, int], measures.Prediction]


def build(config: Config) -> runs.Study:
    """The study of a config."""
    for name in config.poolings:
        choices.check('pooling', name, (*poolings.POOLINGS, CENTRE, PRONET))
    if config.folds < 2:
        raise ValueError(f'folds {config.folds}: 2 or more, or nothing is left out')
    if not config.scales or min(config.scales) < 32:
        raise ValueError(f'scales {config.scales}: sides of 32 pixels or more')
    trials = tuple(
        {'pooling': name, 'fold': fold}
        for fold in range(config.folds)
        for name in config.poolings
    )
    network = networks.of(config.backbone, config.cut)
    if PRONET in config.poolings and not network.cut:
        raise ValueError(
            f'pooling {PRONET} needs a fixed part: name a layer as the cut'
        )
    scales = ', '.join(map(str, config.scales))
    return runs.Study(
        name='localization.fruit',
        config=config,
        task=f'{config.data}, {network.title} at {scales} pixels',
        trials=trials,
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config),
        over=('fold',),
        values=measures.VALUES,
        figures=lambda rows: paired.draw(rows, 'pooling', 'fold', measures.TITLES),
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """One scale, and two."""
    yield Config()
    yield Config(scales=(224, 320))


def fast() -> Config:
    """A run of seconds on generated images, with random weights."""
    return Config('fake', (CENTRE, 'wildcat', PRONET), (64,), 2, 2, 4)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    photos = measures.photos(config.data, data_dir)
    largest = data.voc.square_images(photos, max(config.scales))
    label = data.voc.multi_hot(photos)
    order = np.random.default_rng(FOLD_SEED).permutation(len(label))
    below = trunk.load(
        data_dir,
        networks.of(config.backbone, config.cut),
        random=config.data == 'fake',
    )
    items = [
        trunk.items(below, data.images.resize(largest, side), label)
        for side in config.scales
    ]
    folds = np.array_split(order, config.folds)
    images = Images(largest, label, folds, below, items)

    @functools.cache
    def localize(pooling, fold):
        if pooling == CENTRE:
            return localize('average', fold).at_centre()
        return _localize(config, images, pooling, fold)

    return Prepared(photos, images, localize)


def _measure(config: Config, prepared: Prepared, trial: Mapping) -> dict[str, float]:
    test = prepared.images.folds[trial['fold']]
    prediction = prepared.localize(trial['pooling'], trial['fold'])
    return measures.measure(prediction, measures.truth(prepared.photos, test))


def _localize(config, images, pooling, fold) -> measures.Prediction:
    """Trains a pooling on a fold, and predicts its test images."""
    test = images.folds[fold]
    train = np.setdiff1d(np.arange(len(images.label)), test)
    name = 'lse' if pooling == PRONET else pooling
    head = poolings.head(name, images.label.shape[1])
    loss = losses.multi_label_logistic
    recipe = trunk.Recipe(loss, config.steps, config.batch, config.rate)
    below = images.trunk
    parts = [part.take(train) for part in images.items]
    method = trunk.method(below.network, head, recipe)
    state = trunk.train(method, recipe, below, parts, fold)
    predict = functools.partial(
        trunk.predict,
        head,
        below,
        state,
        sizes=[(side, side) for side in config.scales],
    )
    if pooling == PRONET:
        return cascade.second_stage(
            head,
            recipe,
            below,
            predict,
            train=(images.images[train], images.label[train]),
            test=images.images[test],
            seed=fold,
        )
    outputs = predict(images=images.images[test])
    return measures.Prediction.of_maps(outputs['logits'], outputs['maps'])


def _pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """The first test images of the first fold, with max pooling and the last one."""
    names = [n for n in config.poolings if n not in (CENTRE, PRONET)]
    drawn = {}
    rows = prepared.images.folds[0][:SHOWN]
    images = prepared.images.images[rows]
    for name in [n for n in names if n in ('max', names[-1])]:
        prediction = prepared.localize(name, 0)
        truth = measures.truth(prepared.photos, rows)
        examples = measures.examples(prediction, truth, images)
        classes = prepared.photos.classes
        drawn[f'maps_{name}'] = overlays.overlays(
            examples, classes, f'Maps and points, {name}'
        )
        if name in poolings.EVIDENCE:
            evidence = np.asarray(poolings.EVIDENCE[name](prediction.maps))
            examples = measures.examples(
                prediction._replace(maps=evidence), truth, images, signed=True
            )
            title = f'Evidence for and against a class, {name}'
            drawn[f'evidence_{name}'] = overlays.overlays(examples, classes, title)
    return drawn


if __name__ == '__main__':
    cli.main(Config, build)
