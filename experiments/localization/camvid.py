"""Every pixel of a street: FCN-32s, FCN-16s and FCN-8s (Long et al., CVPR 2015).

Published on PASCAL VOC 2011: mean IoU 59.4, 62.4 and 62.7 for strides 32, 16 and 8
(table 2 of the paper). On whole CamVid (367 training frames) with its 11 classes,
published networks of that time reach 46 to 60; here are 110 of these frames.

    python -m experiments.localization.camvid
    python -m experiments.table localization

The backbone is MobileNetV2 with ImageNet weights, whose rate is a tenth of that of what
is new; batches are of frames flipped at random, at half their size, and the numbers of
the last step, on the test frames at that size. Pixels without a class do not count.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.localization import fcn, measures
from transfer_jax import cli, data, runs
from transfer_jax.reports import overlays

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 5  # frames of a report


@dataclasses.dataclass(frozen=True)
class Config:
    """Fully convolutional networks on CamVid."""

    strides: tuple[int, ...] = (32, 16, 8)
    """Of the finest scores: 32, 16, 8."""
    seeds: int = 1
    steps: int = 400
    batch: int = 8
    rate: float = 3e-3
    """Adam's, of what is new."""
    scale: float = 0.5
    """Size of the frames, as a share of 480 x 360."""
    fake: bool = False
    """Generated frames and drawn weights, for a run of seconds."""


class Prepared(NamedTuple):
    """What the cells read."""

    train: tuple[np.ndarray, np.ndarray]  # frames and labels
    test: tuple[np.ndarray, np.ndarray]
    data_dir: str | None
    found: dict[tuple[str, int], np.ndarray]  # {(network, seed): predictions}


def build(config: Config) -> runs.Study:
    """The study of a config."""
    for stride in config.strides:
        fcn.segmenter(1, stride)  # refuses what there is not
    cells = tuple(
        {'network': f'FCN-{stride}s', 'seed': seed}
        for stride in config.strides
        for seed in range(config.seeds)
    )
    return runs.Study(
        name='localization.camvid',
        config=config,
        task=f'CamVid at {config.scale:g} of its size, MobileNetV2',
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
    """A run of seconds."""
    return Config((8,), 1, 2, 2, fake=True)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    if config.fake:
        rng = np.random.default_rng(0)
        classes = len(data.camvid.CLASSES)
        parts = [
            (
                rng.integers(0, 256, (n, 48, 64, 3), np.uint8),
                rng.integers(0, classes, (n, 48, 64), np.uint8),
            )
            for n in (4, 3)
        ]
        return Prepared(*parts, data_dir, {})
    found = data.camvid.load(data_dir, config.scale)
    return Prepared(found['train'], found['test'], data_dir, {})


def _measure(config: Config, prepared: Prepared, cell: Mapping) -> dict[str, float]:
    found = _segment(config, prepared, **cell)
    return measures.masks(found, prepared.test[1], len(data.camvid.CLASSES))


def _segment(config, prepared, network, seed) -> np.ndarray:
    """Predicted classes (n, h, w) of the test frames, computed once."""
    if (network, seed) in prepared.found:
        return prepared.found[network, seed]
    stride = int(network.removeprefix('FCN-').removesuffix('s'))
    classes = len(data.camvid.CLASSES)
    method = fcn.method(classes, stride, config.steps, config.rate)
    state = fcn.train(
        method,
        fcn.Pixels(*prepared.train),
        steps=config.steps,
        batch=config.batch,
        seed=seed,
        pretrained=not config.fake,
        data_dir=prepared.data_dir,
    )
    share = fcn.predict(method, state, prepared.test[0])
    prepared.found[network, seed] = share.argmax(-1).astype(np.uint8)
    return prepared.found[network, seed]


def _pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """Some test frames, their labels, and what the finest network makes of them."""
    network = f'FCN-{min(config.strides)}s'
    found = _segment(config, prepared, network, 0)
    rows = np.linspace(0, len(found) - 1, min(SHOWN, len(found))).astype(int)
    colours = data.camvid.COLOURS
    frames, labels = prepared.test
    drawn = overlays.side_by_side(
        {
            'frame': [frames[i] for i in rows],
            'labels': [overlays.painted(labels[i], colours) for i in rows],
            network: [overlays.painted(found[i], colours) for i in rows],
        },
        'Test frames',
        {name: colours[i] / 255 for i, name in enumerate(data.camvid.CLASSES)},
    )
    return {'frames': drawn}


if __name__ == '__main__':
    cli.main(Config, build)
