"""Segmentation of street scenes by FCN-32s, FCN-16s, FCN-8s (Long et al., CVPR 2015).

Published on PASCAL VOC 2011: mean IoU 59.4, 62.4 and 62.7 for strides 32, 16 and 8
(table 2 of the paper). On whole CamVid (367 training frames) with its 11 classes,
published networks of that time reach 46 to 60; this experiment has 110 of these frames.

    python -m experiments.localization.camvid
    python -m experiments.table localization

The backbone is MobileNetV2 with ImageNet weights; its rate is a tenth of that of the
new layers. Training frames have half their size and are flipped at random. The numbers
are those of the last step, on the test frames at the same size. Pixels without a class
do not count.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
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
    """Strides of the finest scores: 32, 16, 8."""
    seeds: int = 1
    steps: int = 400
    batch: int = 8
    rate: float = 3e-3
    """Adam's rate of the new layers."""
    scale: float = 0.5
    """Size of the frames as a fraction of 480 x 360."""
    fake: bool = False
    """Generated frames and random weights, for a run of seconds."""


class Prepared(NamedTuple):
    """The test set, and a function that trains and predicts once for each trial."""

    frames: np.ndarray
    labels: np.ndarray
    segment: Callable[[str, int], np.ndarray]  # (network, seed) -> classes (n, h, w)


def build(config: Config) -> runs.Study:
    """The study of a config."""
    for stride in config.strides:
        fcn.segmenter(1, stride)  # raises for an unknown stride
    trials = tuple(
        {'network': f'FCN-{stride}s', 'seed': seed}
        for stride in config.strides
        for seed in range(config.seeds)
    )
    return runs.Study(
        name='localization.camvid',
        config=config,
        task=f'CamVid at {config.scale:g} of its size, MobileNetV2',
        trials=trials,
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config),
        values=measures.SEGMENTATION,
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """The comparison of docs/localization.md."""
    yield Config()


def fast() -> Config:
    """A run of seconds."""
    return Config((8,), 1, 2, 2, fake=True)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    parts = _fake() if config.fake else data.camvid.load(data_dir, config.scale)
    frames, labels = parts['test']

    @functools.cache
    def segment(network, seed):
        return _segment(config, parts['train'], frames, data_dir, (network, seed))

    return Prepared(frames, labels, segment)


def _fake() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Random frames and labels of both parts."""
    rng = np.random.default_rng(0)
    classes = len(data.camvid.CLASSES)
    return {
        part: (
            rng.integers(0, 256, (n, 48, 64, 3), np.uint8),
            rng.integers(0, classes, (n, 48, 64), np.uint8),
        )
        for part, n in (('train', 4), ('test', 3))
    }


def _measure(config: Config, prepared: Prepared, trial: Mapping) -> dict[str, float]:
    predicted = prepared.segment(trial['network'], trial['seed'])
    classes = len(data.camvid.CLASSES)
    return measures.measure_masks(predicted, prepared.labels, classes)


def _segment(config, train, frames, data_dir, trial) -> np.ndarray:
    """Trains a network; its classes (n, h, w) of the test frames."""
    network, seed = trial
    stride = int(network.removeprefix('FCN-').removesuffix('s'))
    classes = len(data.camvid.CLASSES)
    method = fcn.method(classes, stride, config.steps, config.rate)
    state = fcn.train(
        method,
        fcn.Pixels(*train),
        steps=config.steps,
        batch=config.batch,
        seed=seed,
        pretrained=not config.fake,
        data_dir=data_dir,
    )
    probabilities = fcn.predict(method, state, frames)
    return probabilities.argmax(-1).astype(np.uint8)


def _pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """Some test frames, their labels, and the predictions of the finest network."""
    network = f'FCN-{min(config.strides)}s'
    frames, labels = prepared.frames, prepared.labels
    predicted = prepared.segment(network, 0)
    rows = np.linspace(0, len(frames) - 1, min(SHOWN, len(frames))).astype(int)
    colours = data.camvid.COLOURS
    drawn = overlays.side_by_side(
        {
            'frame': [frames[i] for i in rows],
            'labels': [overlays.painted(labels[i], colours) for i in rows],
            network: [overlays.painted(predicted[i], colours) for i in rows],
        },
        'Test frames',
        {name: colours[i] / 255 for i, name in enumerate(data.camvid.CLASSES)},
    )
    return {'frames': drawn}


if __name__ == '__main__':
    cli.main(Config, build)
