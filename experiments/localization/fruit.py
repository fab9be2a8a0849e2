"""Where the fruit is, from image labels alone: six poolings and a cascade.

Published on PASCAL VOC 2012, whose images are not at hand: pointwise localisation 74.5
by max pooling (Oquab et al., CVPR 2015), 77.7 by ProNet (Sun et al., CVPR 2016), 82.9
by WILDCAT (Durand et al., CVPR 2017). There is no published number for these 300
photographs of apples, bananas and oranges.

    python -m experiments.localization.fruit
    python -m experiments.localization.fruit --config.scales 224 320
    python -m experiments.table localization

Every pooling has the same backbone, schedule and folds; a fold trains on four fifths of
all images, whatever split they came with, and is measured on the fifth that is left, at
the last step. Images are stretched to squares. mAP is that of VOC 2010 and later, and
`voc07` its 11-point form; pointwise is the AP of Oquab et al. with 18 pixels of
tolerance, `hit rate` the share of present classes whose point is right; `corloc` is of
the box around the largest part of a map above 20 % of its maximum, and `top1` the share
of images whose best class is there and boxed so. The centre row points at the middle of
the image with the scores of average pooling: what no map explains. Pooling pronet is
the lse network, then a second one on the boxes it proposes.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.localization import cascade, measures, paired, poolings, trunk
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
    """Poolings on one set of photographs with boxes, by folds."""

    data: str = 'fruit_voc'
    """fruit_voc, or voc:PATH, a folder with JPEGImages, Annotations and ImageSets."""
    poolings: tuple[str, ...] = (CENTRE, *poolings.POOLINGS, PRONET)
    """centre, average, max, lse, spleap, weldon, wildcat, pronet."""
    scales: tuple[int, ...] = (224,)
    """Sides of the images in training, in turn, and in testing, where the scores and
    maps of all are averaged."""
    folds: int = 5
    steps: int = 200
    batch: int = 16
    rate: float = 3e-3
    """Adam's rate of the head, ten times that of the backbone; it rises over a tenth of
    the steps and falls to 0 as a cosine."""


class Prepared(NamedTuple):
    """What the cells read."""

    photos: data.voc.Annotated
    images: np.ndarray  # (n, side, side, 3) uint8 at the largest scale
    label: np.ndarray  # (n, c)
    folds: Sequence[np.ndarray]  # rows of each fold's test images
    trunk: trunk.Trunk
    items: Sequence[trunk.Items]  # of each scale
    found: dict[tuple, measures.Found]  # what was computed, by (pooling, fold)


def build(config: Config) -> runs.Study:
    """The study of a config."""
    poolings.check(config.poolings, also=(CENTRE, PRONET))
    if config.folds < 2:
        raise ValueError(f'folds {config.folds}: 2 or more, or nothing is left out')
    if not config.scales or min(config.scales) < 32:
        raise ValueError(f'scales {config.scales}: sides of 32 pixels or more')
    cells = tuple(
        {'pooling': name, 'fold': fold}
        for fold in range(config.folds)
        for name in config.poolings
    )
    scales = ', '.join(map(str, config.scales))
    return runs.Study(
        name='localization.fruit',
        config=config,
        task=f'{config.data}, SqueezeNet at {scales} pixels',
        cells=cells,
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config),
        over=('fold',),
        values=measures.VALUES,
        figures=lambda rows: paired.draw(rows, 'pooling', 'fold', measures.SHOWN),
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """One scale, and two."""
    yield Config()
    yield Config(scales=(224, 320))


def fast() -> Config:
    """A run of seconds on generated images, with drawn weights."""
    return Config('fake', (CENTRE, 'wildcat', PRONET), (64,), 2, 2, 4)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    photos = measures.photos(config.data, data_dir)
    largest = data.voc.as_squares(photos, max(config.scales))
    label = data.voc.multi_hot(photos)
    order = np.random.default_rng(FOLD_SEED).permutation(len(label))
    below = trunk.load(data_dir, random=config == fast())
    items = [
        trunk.items(below, data.images.resize(largest, side), label)
        for side in config.scales
    ]
    folds = np.array_split(order, config.folds)
    return Prepared(photos, largest, label, folds, below, items, {})


def _measure(config: Config, prepared: Prepared, cell: Mapping) -> dict[str, float]:
    test = prepared.folds[cell['fold']]
    found = _localize(config, prepared, cell['pooling'], cell['fold'])
    return measures.measure(found, measures.truth(prepared.photos, test))


def _localize(config, prepared, name, fold) -> measures.Found:
    """Scores and places of one pooling on the test images of a fold."""
    if name == CENTRE:
        return _localize(config, prepared, 'average', fold).at_centre()
    if (name, fold) not in prepared.found:
        prepared.found[name, fold] = _train(config, prepared, name, fold)
    return prepared.found[name, fold]


def _train(config, prepared, name, fold) -> measures.Found:
    test = prepared.folds[fold]
    plain = 'lse' if name == PRONET else name
    classes = prepared.label.shape[1]
    head = poolings.head(plain, classes)
    loss = losses.multi_label_logistic
    recipe = trunk.Recipe(loss, config.steps, config.batch, config.rate)
    below = prepared.trunk
    rest = np.setdiff1d(np.arange(len(prepared.label)), test)
    parts = [part.take(rest) for part in prepared.items]
    state = trunk.train(trunk.method(head, recipe), recipe, below, parts, fold)
    ask = functools.partial(
        trunk.answers,
        head,
        below,
        state,
        sizes=[(side, side) for side in config.scales],
    )
    if name == PRONET:
        images, label = prepared.images, prepared.label
        return cascade.second_stage(
            head, recipe, below, ask, images, label, rest, test, fold
        )
    answers = ask(images=prepared.images[test])
    return measures.Found.of_maps(answers['logits'], answers['maps'])


def _pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """The first test images of the first fold, by max pooling and the last one."""
    names = [n for n in config.poolings if n not in (CENTRE, PRONET)]
    drawn = {}
    rows = prepared.folds[0][:SHOWN]
    for name in [n for n in names if n in ('max', names[-1])]:
        found = _localize(config, prepared, name, 0)
        truth = measures.truth(prepared.photos, rows)
        examples = measures.examples(found, truth, prepared.images[rows])
        classes = prepared.photos.classes
        drawn[f'maps_{name}'] = overlays.overlays(
            examples, classes, f'Maps and points, {name}'
        )
        if name in poolings.EVIDENCE:
            told = np.asarray(poolings.EVIDENCE[name](found.maps))
            examples = measures.examples(
                found._replace(maps=told), truth, prepared.images[rows], signed=True
            )
            title = f'What raises a class and what lowers it, {name}'
            drawn[f'evidence_{name}'] = overlays.overlays(examples, classes, title)
    return drawn


if __name__ == '__main__':
    cli.main(Config, build)
