"""Segmentation from image labels, refined by a CRF, beside a fully supervised FCN.

Published on PASCAL VOC 2012 (mean IoU on val): WILDCAT's maps 39.2, with a fully
connected CRF 43.7 (Durand et al., CVPR 2017); FCN-8s, trained on masks, 62.2 on the
test set (Long et al., CVPR 2015). No number is published for these scenes.

    python -m experiments.localization.segmentation
    python -m experiments.table localization

The scenes are those of experiments.localization.scenes. Methods:

  maps    a network trained with image labels (--config.pooling). In testing its last
          stage is dilated: with the same weights, maps have twice the side. A class
          takes part if its score is positive. A position is background if every map
          is below the fraction --config.background of its maximum there; the fraction
          was fixed in advance, since no mask may choose it.
  FCN-8s  MobileNetV2 trained on the masks of the training scenes: an upper bound
  + CRF   10 mean-field steps of Kraehenbuehl and Koltun (NIPS 2011) on the
          probabilities of either, with the weights and widths of their code, not tuned

The mean IoU is over 20 classes and the background. VOC 2012 has a page of its own,
experiments.localization.weak_segmentation.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.localization import (
    fcn,
    masks,
    measures,
    networks,
    poolings,
    scene_data,
    trunk,
)
from experiments.tasks import choices
from transfer_jax import cli, losses, runs
from transfer_jax.reports import overlays

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAPS, FCN, REFINED = 'maps', 'FCN-8s', ' + CRF'
METHODS = (MAPS, MAPS + REFINED, FCN, FCN + REFINED)
SHOWN = 5  # scenes of a report


@dataclasses.dataclass(frozen=True)
class Config:
    """Segmentation of composite scenes, trained with image labels or masks."""

    pooling: str = 'wildcat'
    """average, max, lse, spleap, weldon, wildcat."""
    background: float = 0.3
    """Fraction of a map's maximum below which a position is background."""
    train: int = 1_000
    """Training scenes."""
    test: int = 100
    """Test scenes."""
    seeds: int = 1
    steps: int = 600
    """Steps of the network trained with image labels."""
    rate: float = 1e-3
    """Adam's rate of the head of that network."""
    fcn_steps: int = 300
    """Steps of FCN-8s."""
    fcn_rate: float = 3e-3
    """Adam's rate of the new layers of FCN-8s."""
    fcn_batch: int = 8
    """Scenes in a step of FCN-8s."""
    fake: bool = False
    """Generated polygons, for a run of seconds."""
    backbone: str = 'squeezenet'
    """A name of recipes.backbones, of the network trained with image labels."""
    cut: str = networks.AUTO
    """The last fixed layer; auto trains one layer, '' the whole network."""


class Prepared(NamedTuple):
    """What the trials read."""

    parts: scene_data.Parts
    # (network, seed) -> probabilities (n, h, w, 1 + c) of the test scenes; cached
    segment: Callable[[str, int], np.ndarray]


def build(config: Config) -> runs.Study:
    """The study of a config."""
    choices.check('pooling', config.pooling, poolings.POOLINGS)
    if not 0 < config.background < 1:
        raise ValueError(f'background {config.background}: between 0 and 1')
    network = networks.of(config.backbone, config.cut)
    trials = tuple(
        {'method': method, 'seed': seed}
        for seed in range(config.seeds)
        for method in METHODS
    )
    return runs.Study(
        name='localization.segmentation',
        config=config,
        task='segmentation of composite scenes' + _by(network),
        trials=trials,
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config),
        values=measures.SEGMENTATION,
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def _by(network: networks.Network) -> str:
    return '' if network == networks.of() else f', {network.title}'


def sweep() -> Iterator[Config]:
    """The comparison of docs/localization.md."""
    yield Config()


def fast() -> Config:
    """A run of seconds on generated scenes, with random weights."""
    return Config('wildcat', 0.3, 6, 2, 1, 2, 1e-3, 2, 1e-3, 2, fake=True)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    if config.fake:
        parts = scene_data.fake(config.train, config.test)
    else:
        parts = scene_data.load(config.train, config.test, data_dir)
    network = networks.of(config.backbone, config.cut)
    below = trunk.load(data_dir, network, random=config.fake)
    items = trunk.items(below, parts.train.image, parts.train.label)

    @functools.cache
    def segment(network, seed):
        if network == MAPS:
            return _by_maps(config, parts, below, items, seed)
        return _by_fcn(config, parts, data_dir, seed)

    return Prepared(parts, segment)


def _measure(config: Config, prepared: Prepared, trial: Mapping) -> dict[str, float]:
    predicted = _masks(prepared, trial['method'], trial['seed'])
    truth, classes = prepared.parts.test.mask, 1 + len(prepared.parts.classes)
    return measures.measure_masks(predicted, truth, classes, void=None)


def _masks(prepared, method, seed, count=None) -> np.ndarray:
    """Predicted masks (n, h, w) uint8 of the first `count` scenes or of all.

    0 is background; class k is k + 1.
    """
    network = method.removesuffix(REFINED)
    probabilities = prepared.segment(network, seed)[:count]
    if method == network:
        return probabilities.argmax(-1).astype(np.uint8)
    images = prepared.parts.test.image[:count]
    pairs = zip(probabilities, images, strict=True)
    return np.stack([masks.refine(*pair) for pair in pairs])


def _by_maps(config, parts, below, items, seed) -> np.ndarray:
    """Trains with image labels; the probabilities of the test scenes."""
    head = poolings.head(config.pooling, len(parts.classes))
    recipe = trunk.Recipe(losses.multi_label_logistic, config.steps, 16, config.rate)
    method = trunk.method(below.network, head, recipe)
    state = trunk.train(method, recipe, below, [items], seed)
    images = parts.test.image
    outputs = trunk.predict(head, below, state, images, output_stride=8)
    size = images.shape[1:3]
    probabilities = [
        masks.with_background(maps[None], logits[None] > 0, size, config.background)[0]
        for maps, logits in zip(outputs['maps'], outputs['logits'], strict=True)
    ]
    return np.stack(probabilities)


def _by_fcn(config, parts, data_dir, seed) -> np.ndarray:
    """Trains with masks; the probabilities of the test scenes."""
    classes = 1 + len(parts.classes)
    method = fcn.method(classes, 8, config.fcn_steps, config.fcn_rate)
    state = fcn.train(
        method,
        fcn.Pixels(parts.train.image, parts.train.mask),
        steps=config.fcn_steps,
        batch=config.fcn_batch,
        seed=seed,
        pretrained=not config.fake,
        data_dir=data_dir,
    )
    return fcn.predict(method, state, parts.test.image)


def _pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """Some test scenes with their masks and the masks of every method."""
    part, names = prepared.parts.test, prepared.parts.classes
    columns = {
        'scene': part.image[:SHOWN],
        'mask': [overlays.painted(mask) for mask in part.mask[:SHOWN]],
    }
    for method in METHODS:
        predicted = _masks(prepared, method, 0, SHOWN)
        columns[method] = [overlays.painted(mask) for mask in predicted]
    present = sorted({int(k) for labels in part.labels[:SHOWN] for k in labels})
    legend = {names[k]: overlays.colour(k) for k in present}
    return {'masks': overlays.side_by_side(columns, 'Test scenes', legend)}


if __name__ == '__main__':
    cli.main(Config, build)
