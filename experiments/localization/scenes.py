"""What is in a cluttered scene, from image labels: poolings, and the price of resizing.

Published on VOC 2012 and other photographs with many things in them: k-max and k-min
pooling above max pooling above the average of the whole map (Durand et al., CVPR 2016,
table 3 and 4), and a network on the whole image at its own size above one on the image
shrunk to the size it was trained at (Oquab et al., CVPR 2015). There is no published
number for these scenes.

    python -m experiments.localization.scenes
    python -m experiments.table localization

A scene has 2 to 5 objects, 40 to 80 pixels large, of 20 classes: 10 digits and 10
objects of COIL-100, on a photograph of 320 x 320 pixels. Training knows which classes a
scene shows and nothing of places. Training and test scenes share no view of an object,
no digit and no photograph. Every pooling has the same backbone, schedule and scenes.
The rate is the better of 1e-3 and 3e-3 by the mAP of max and weldon on 200 scenes held
out of the training scenes. `pixels` is the side at which the network sees a scene, in
training and testing: 320 as it is, or shrunk. The columns are those of
experiments.localization.fruit, at the last step; the centre row is what is had without
a map.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.localization import measures, paired, poolings, scene_data, trunk
from transfer_jax import cli, data, losses, runs
from transfer_jax.reports import overlays

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CENTRE = 'centre'
SHOWN = 5  # scenes of a report
COMPARED = 'weldon'  # the pooling whose whole and shrunk scenes are shown


@dataclasses.dataclass(frozen=True)
class Config:
    """Poolings on composite scenes, and scenes shrunk to a network's input."""

    poolings: tuple[str, ...] = (CENTRE, *poolings.POOLINGS)
    """centre, average, max, lse, spleap, weldon, wildcat."""
    shrunk: tuple[int, ...] = (112,)
    """Sides to shrink scenes to, beside the whole ones."""
    shrunk_poolings: tuple[str, ...] = ('average', COMPARED)
    train: int = 1_000
    """Scenes."""
    test: int = 200
    seeds: int = 2
    """Draws of the head and of the order of the scenes."""
    steps: int = 600
    batch: int = 16
    rate: float = 1e-3
    """Adam's rate of the head, ten times that of the backbone."""
    fake: bool = False
    """Generated polygons, for a run of seconds."""


class Prepared(NamedTuple):
    """What the cells read."""

    parts: scene_data.Parts
    trunk: trunk.Trunk
    items: Mapping[int, trunk.Items]  # of each side
    found: dict[tuple, measures.Found]  # what was computed, by (pooling, pixels, seed)


def build(config: Config) -> runs.Study:
    """The study of a config."""
    poolings.check((*config.poolings, *config.shrunk_poolings), also=(CENTRE,))
    side = 64 if config.fake else scene_data.SIDE
    if config.shrunk and not 32 <= min(config.shrunk) <= max(config.shrunk) < side:
        raise ValueError(f'shrunk {config.shrunk}: sides from 32 to {side - 1} pixels')
    arms = [(name, side) for name in config.poolings]
    arms += [(name, s) for s in config.shrunk for name in config.shrunk_poolings]
    cells = tuple(
        {'pooling': name, 'pixels': s, 'seed': seed}
        for seed in range(config.seeds)
        for name, s in arms
    )
    return runs.Study(
        name='localization.scenes',
        config=config,
        task=f'composite scenes of {side} pixels, SqueezeNet',
        cells=cells,
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config),
        values=measures.VALUES,
        figures=functools.partial(_draw, side),
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """The comparison of the README."""
    yield Config()


def fast() -> Config:
    """A run of seconds on generated scenes, with drawn weights."""
    return Config((CENTRE, 'wildcat'), (48,), (COMPARED,), 6, 4, 1, 2, 4, fake=True)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    if config.fake:
        parts = scene_data.fake(config.train, config.test)
    else:
        parts = scene_data.load(config.train, config.test, data_dir)
    below = trunk.load(data_dir, random=config.fake)
    whole = parts.train.image
    items = {
        side: trunk.items(below, data.images.resize(whole, side), parts.train.label)
        for side in (whole.shape[1], *config.shrunk)
    }
    return Prepared(parts, below, items, {})


def _measure(config: Config, prepared: Prepared, cell: Mapping) -> dict[str, float]:
    found = _localize(config, prepared, **cell)
    return measures.measure(found, _truth(prepared.parts.test))


def _truth(part) -> measures.Truth:
    sizes = scene_data.sizes(part)
    return measures.Truth(sizes, part.boxes, part.labels, None, part.label)


def _localize(config, prepared, pooling, pixels, seed) -> measures.Found:
    """Scores and places of one pooling on the test scenes."""
    if pooling == CENTRE:
        return _localize(config, prepared, 'average', pixels, seed).at_centre()
    key = pooling, pixels, seed
    if key in prepared.found:
        return prepared.found[key]
    head = poolings.head(pooling, len(prepared.parts.classes))
    loss = losses.multi_label_logistic
    recipe = trunk.Recipe(loss, config.steps, config.batch, config.rate)
    below, items = prepared.trunk, prepared.items[pixels]
    state = trunk.train(trunk.method(head, recipe), recipe, below, [items], seed)
    images = data.images.resize(prepared.parts.test.image, pixels)
    answers = trunk.answers(head, below, state, images)
    found = measures.Found.of_maps(answers['logits'], answers['maps'])
    prepared.found[key] = found
    return found


def _draw(side: int, rows) -> dict[str, 'Figure']:
    named = [
        {**row, 'arm': row['pooling'] + f' {row["pixels"]}' * (row['pixels'] != side)}
        for row in rows
    ]
    return paired.draw(named, 'arm', 'seed', measures.SHOWN)


def _pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """The first test scenes by one pooling, whole and shrunk."""
    drawn = {}
    part = prepared.parts.test
    truth = _truth(part)
    for pixels in prepared.items:
        found = _localize(config, prepared, COMPARED, pixels, 0)
        rows = slice(SHOWN)
        some = measures.Found(*(x[rows] for x in found))
        few = truth._replace(
            sizes=truth.sizes[rows], boxes=truth.boxes[rows], label=truth.label[rows]
        )
        masks = [{'true mask': mask} for mask in part.mask[rows]]
        images, names = part.image[rows], prepared.parts.classes
        examples = measures.examples(some, few, images, masks)
        title = f'{COMPARED}, the network sees {pixels} x {pixels} pixels'
        drawn[f'scenes_{pixels}'] = overlays.overlays(examples, names, title)
        if pixels == part.image.shape[1]:
            told = np.asarray(poolings.EVIDENCE[COMPARED](some.maps))
            examples = measures.examples(
                some._replace(maps=told), few, images, signed=True
            )
            title = f'{COMPARED}, what raises a class and what lowers it'
            drawn['evidence'] = overlays.overlays(examples, names, title)
    return drawn


if __name__ == '__main__':
    cli.main(Config, build)
