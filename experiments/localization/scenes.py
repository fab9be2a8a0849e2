"""Classes in cluttered scenes from image labels: poolings, and the cost of shrinking.

Published on VOC 2012 and other photographs of many objects: k-max and k-min pooling is
better than max pooling, which is better than the average of the whole map (Durand et
al., CVPR 2016, tables 3 and 4); a network on the image at full size is better than one
on the image shrunk to the network's training size (Oquab et al., CVPR 2015). No number
is published for these scenes.

    python -m experiments.localization.scenes
    python -m experiments.table localization

A scene has 2 to 5 objects, 40 to 80 pixels large, of 20 classes: 10 digits and 10
objects of COIL-100, on a photograph of 320 x 320 pixels. Training sees the classes of a
scene but no positions. Training and test scenes share no view of an object, no digit
and no photograph. All poolings have the same backbone, schedule and scenes. The rate is
the better of 1e-3 and 3e-3 by the mAP of max and weldon on 200 held-out training
scenes. `pixels` is the side of a scene in training and testing: 320, its full size, or
less. The columns are those of experiments.localization.fruit, at the last step; the
centre row is a baseline without any map.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.localization import (
    measures,
    networks,
    paired,
    poolings,
    scene_data,
    trunk,
)
from experiments.tasks import choices
from transfer_jax import cli, data, losses, runs
from transfer_jax.reports import overlays

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CENTRE = 'centre'
SHOWN = 5  # scenes of a report
COMPARED = 'weldon'  # the pooling whose full and shrunk scenes are drawn


@dataclasses.dataclass(frozen=True)
class Config:
    """Poolings on composite scenes at full size and shrunk."""

    poolings: tuple[str, ...] = (CENTRE, *poolings.POOLINGS)
    """centre, average, max, lse, spleap, weldon, wildcat."""
    shrunk: tuple[int, ...] = (112,)
    """Sides of the shrunk scenes in pixels."""
    shrunk_poolings: tuple[str, ...] = ('average', COMPARED)
    """Poolings on shrunk scenes."""
    train: int = 1_000
    """Training scenes."""
    test: int = 200
    """Test scenes."""
    seeds: int = 2
    """Draws of the head's weights and of the order of the scenes."""
    steps: int = 600
    batch: int = 16
    rate: float = 1e-3
    """Adam's rate of the head, ten times that of the backbone."""
    fake: bool = False
    """Generated polygons, for a run of seconds."""
    backbone: str = 'squeezenet'
    """A name of recipes.backbones."""
    cut: str = networks.AUTO
    """The last fixed layer; auto trains one layer, '' the whole network."""


class Prepared(NamedTuple):
    """What the trials read."""

    test: data.scenes.Scenes
    classes: tuple[str, ...]
    # (pooling, pixels, seed) -> prediction of the test scenes, computed once
    localize: Callable[[str, int, int], measures.Prediction]


def build(config: Config) -> runs.Study:
    """The study of a config."""
    for name in (*config.poolings, *config.shrunk_poolings):
        choices.check('pooling', name, (*poolings.POOLINGS, CENTRE))
    side = 64 if config.fake else scene_data.SIDE
    if config.shrunk and not 32 <= min(config.shrunk) <= max(config.shrunk) < side:
        raise ValueError(f'shrunk {config.shrunk}: sides from 32 to {side - 1} pixels')
    network = networks.of(config.backbone, config.cut)
    rows = [(name, side) for name in config.poolings]
    rows += [(name, s) for s in config.shrunk for name in config.shrunk_poolings]
    trials = tuple(
        {'pooling': name, 'pixels': s, 'seed': seed}
        for seed in range(config.seeds)
        for name, s in rows
    )
    return runs.Study(
        name='localization.scenes',
        config=config,
        task=f'composite scenes of {side} pixels, {network.title}',
        trials=trials,
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config),
        values=measures.VALUES,
        figures=functools.partial(_draw, side),
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """The comparison of docs/localization.md."""
    yield Config()


def fast() -> Config:
    """A run of seconds on generated scenes, with random weights."""
    return Config((CENTRE, 'wildcat'), (48,), (COMPARED,), 6, 4, 1, 2, 4, fake=True)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    if config.fake:
        parts = scene_data.fake(config.train, config.test)
    else:
        parts = scene_data.load(config.train, config.test, data_dir)
    network = networks.of(config.backbone, config.cut)
    below = trunk.load(data_dir, network, random=config.fake)
    whole = parts.train.image
    items = {
        side: trunk.items(below, data.images.resize(whole, side), parts.train.label)
        for side in (whole.shape[1], *config.shrunk)
    }

    @functools.cache
    def localize(pooling, pixels, seed):
        if pooling == CENTRE:
            return localize('average', pixels, seed).at_centre()
        head = poolings.head(pooling, len(parts.classes))
        images = data.images.resize(parts.test.image, pixels)
        return _localize(config, head, below, items[pixels], images, seed=seed)

    return Prepared(parts.test, parts.classes, localize)


def _measure(config: Config, prepared: Prepared, trial: Mapping) -> dict[str, float]:
    prediction = prepared.localize(trial['pooling'], trial['pixels'], trial['seed'])
    return measures.measure(prediction, _truth(prepared.test))


def _truth(part) -> measures.Truth:
    sizes = scene_data.sizes(part)
    return measures.Truth(sizes, part.boxes, part.labels, None, part.label)


def _localize(config, head, below, items, images, *, seed) -> measures.Prediction:
    """Trains a head on items, and predicts the test images."""
    loss = losses.multi_label_logistic
    recipe = trunk.Recipe(loss, config.steps, config.batch, config.rate)
    method = trunk.method(below.network, head, recipe)
    state = trunk.train(method, recipe, below, [items], seed)
    outputs = trunk.predict(head, below, state, images)
    return measures.Prediction.of_maps(outputs['logits'], outputs['maps'])


def _draw(side: int, rows) -> dict[str, 'Figure']:
    named = [
        {
            **row,
            'method': row['pooling'] + f' {row["pixels"]}' * (row['pixels'] != side),
        }
        for row in rows
    ]
    return paired.draw(named, 'method', 'seed', measures.TITLES)


def _pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """The first test scenes with one pooling, at full size and shrunk."""
    drawn = {}
    part, rows = prepared.test, slice(SHOWN)
    side = part.image.shape[1]
    truth = _truth(part)
    truth = truth._replace(
        sizes=truth.sizes[rows], boxes=truth.boxes[rows], label=truth.label[rows]
    )
    masks = [{'true mask': mask} for mask in part.mask[rows]]
    images, names = part.image[rows], prepared.classes
    for pixels in (side, *config.shrunk):
        prediction = prepared.localize(COMPARED, pixels, 0)
        prediction = measures.Prediction(*(x[rows] for x in prediction))
        examples = measures.examples(prediction, truth, images, masks)
        title = f'{COMPARED}, the network sees {pixels} x {pixels} pixels'
        drawn[f'scenes_{pixels}'] = overlays.overlays(examples, names, title)
        if pixels == side:
            evidence = np.asarray(poolings.EVIDENCE[COMPARED](prediction.maps))
            examples = measures.examples(
                prediction._replace(maps=evidence), truth, images, signed=True
            )
            title = f'{COMPARED}, evidence for and against a class'
            drawn['evidence'] = overlays.overlays(examples, names, title)
    return drawn


if __name__ == '__main__':
    cli.main(Config, build)
