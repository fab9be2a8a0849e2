"""Masks of objects from image labels alone, refined by a CRF, beside a taught network.

Published on PASCAL VOC 2012 (mean IoU on val): WILDCAT's maps 39.2, with a fully
connected CRF 43.7 (Durand et al., CVPR 2017); FCN-8s, which is taught every pixel, 62.2
on its test set (Long et al., CVPR 2015). There is no published number for these scenes.

    python -m experiments.localization.segmentation
    python -m experiments.table localization

The scenes are those of experiments.localization.scenes. Maps: a network trained with
image labels (--config.pooling); in testing its last stage is dilated, so that maps have
twice the side with the same weights. A class takes part where its score is positive,
and a place belongs to the background where no map reaches the share --config.background
of its own highest value: fixed in advance, since no mask may choose it. CRF: 10 steps
of mean field of Kraehenbuehl and Koltun (NIPS 2011) on these shares, with the weights
and widths of their paper's code, not tuned. FCN-8s: MobileNetV2, taught the masks of
the training scenes: the ceiling. Classes of the mean IoU: 20 and the background.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.localization import fcn, measures, poolings, scene_data, trunk
from transfer_jax import cli, losses, ops, runs
from transfer_jax.reports import overlays

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAPS, TAUGHT, REFINED = 'maps', 'FCN-8s', ' + CRF'
ARMS = (MAPS, MAPS + REFINED, TAUGHT, TAUGHT + REFINED)
SHOWN = 5  # scenes of a report
FLOOR = 1e-4  # the least probability of a class in the CRF


@dataclasses.dataclass(frozen=True)
class Config:
    """Segmentation of composite scenes, with and without masks to learn from."""

    pooling: str = 'wildcat'
    """average, max, lse, spleap, weldon, wildcat."""
    background: float = 0.3
    """Share of a map's highest value below which a place is background."""
    train: int = 1_000
    """Scenes."""
    test: int = 100
    seeds: int = 1
    steps: int = 600
    """Of the network trained with image labels."""
    rate: float = 1e-3
    taught_steps: int = 300
    """Of FCN-8s."""
    taught_rate: float = 3e-3
    taught_batch: int = 8
    fake: bool = False
    """Generated polygons, for a run of seconds."""


class Prepared(NamedTuple):
    """What the cells read."""

    parts: scene_data.Parts
    trunk: trunk.Trunk
    items: trunk.Items
    # {(network, seed)}: probabilities (n, h, w, 1 + c) of the test scenes
    shares: dict[tuple[str, int], np.ndarray]
    data_dir: str | None


def build(config: Config) -> runs.Study:
    """The study of a config."""
    poolings.check([config.pooling])
    if not 0 < config.background < 1:
        raise ValueError(f'background {config.background}: between 0 and 1')
    cells = tuple(
        {'method': arm, 'seed': seed} for seed in range(config.seeds) for arm in ARMS
    )
    return runs.Study(
        name='localization.segmentation',
        config=config,
        task='segmentation of composite scenes',
        cells=cells,
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config),
        values=measures.MASKS,
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """The comparison of the README."""
    yield Config()


def fast() -> Config:
    """A run of seconds on generated scenes, with drawn weights."""
    return Config('wildcat', 0.3, 6, 2, 1, 2, 1e-3, 2, 1e-3, 2, fake=True)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    make = scene_data.fake if config.fake else scene_data.load
    place = () if config.fake else (data_dir,)
    parts = make(config.train, config.test, *place)
    below = trunk.load(data_dir, random=config.fake)
    items = trunk.items(below, parts.train.image, parts.train.label)
    return Prepared(parts, below, items, {}, data_dir)


def _measure(config: Config, prepared: Prepared, cell: Mapping) -> dict[str, float]:
    found = _masks(config, prepared, cell['method'], cell['seed'])
    truth, classes = prepared.parts.test.mask, 1 + len(prepared.parts.classes)
    return measures.masks(found, truth, classes, void=None)


def _masks(config, prepared, method, seed, most=None) -> np.ndarray:
    """Predicted masks (n, h, w) uint8, of the first `most` scenes or of all.

    Class + 1, 0 background.
    """
    network = method.removesuffix(REFINED)
    if (network, seed) not in prepared.shares:
        make = _of_maps if network == MAPS else _of_taught
        prepared.shares[network, seed] = make(config, prepared, seed)
    shares = prepared.shares[network, seed][:most]
    if method == network:
        return shares.argmax(-1).astype(np.uint8)
    images = prepared.parts.test.image[:most]
    return np.stack([_refined(*pair) for pair in zip(shares, images, strict=True)])


def _of_maps(config, prepared, seed) -> np.ndarray:
    head = poolings.head(config.pooling, len(prepared.parts.classes))
    recipe = trunk.Recipe(losses.multi_label_logistic, config.steps, 16, config.rate)
    method = trunk.method(head, recipe)
    state = trunk.train(method, recipe, prepared.trunk, [prepared.items], seed)
    images = prepared.parts.test.image
    answers = trunk.answers(head, prepared.trunk, state, images, output_stride=8)
    size = images.shape[1:3]
    some = [
        _shares(maps[None], logits[None] > 0, size, config.background)[0]
        for maps, logits in zip(answers['maps'], answers['logits'], strict=True)
    ]
    return np.stack(some)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _shares(maps, present, size, background):
    return ops.with_background(ops.upsample(maps, size), present, background)


def _of_taught(config, prepared, seed) -> np.ndarray:
    classes = 1 + len(prepared.parts.classes)
    method = fcn.method(classes, 8, config.taught_steps, config.taught_rate)
    state = fcn.train(
        method,
        fcn.Pixels(prepared.parts.train.image, prepared.parts.train.mask),
        steps=config.taught_steps,
        batch=config.taught_batch,
        seed=seed,
        pretrained=not config.fake,
        data_dir=prepared.data_dir,
    )
    return fcn.predict(method, state, prepared.parts.test.image)


def _refined(share: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The mask (h, w) after the CRF; classes without a share anywhere stay out."""
    there = np.flatnonzero(share.max((0, 1)) > FLOOR)
    unary = -jnp.log(jnp.maximum(share[..., there], FLOOR))
    marginals = ops.mean_field(unary, image.astype(np.float32))
    return there[np.asarray(marginals).argmax(-1)].astype(np.uint8)


def _pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """Some test scenes, their masks, and those of every arm."""
    part, names = prepared.parts.test, prepared.parts.classes
    columns = {
        'scene': part.image[:SHOWN],
        'mask': [overlays.painted(mask) for mask in part.mask[:SHOWN]],
    }
    for method in ARMS:
        found = _masks(config, prepared, method, 0, SHOWN)
        columns[method] = [overlays.painted(mask) for mask in found]
    shown = sorted({int(k) for own in part.labels[:SHOWN] for k in own})
    legend = {names[k]: overlays.colour(k) for k in shown}
    return {'masks': overlays.side_by_side(columns, 'Test scenes', legend)}


if __name__ == '__main__':
    cli.main(Config, build)
