"""CNN features off the shelf, with augmented views (Razavian et al., CVPRW 2014).

A linear one-vs-rest SVM on the last features of a network trained on ImageNet, of n
images a class:

  cnn           features of the whole image, length 1 (CNN-SVM)
  power         the same after sign(x) |x|^0.5 in each component
  mean          features of eight views, averaged, then as `power`
  scores        every view is a training example of its own; the scores of a test
                image's views are summed, as `power` (CNNaug-SVM)

The views are the image, its corners and centre (3/4 of the side, enlarged), and the
image turned by 15 degrees either way.

Published (tables 1 and 3, OverFeat): CNNaug-SVM over CNN-SVM 77.2 against 73.9 mAP on
PASCAL VOC 2007, 69.0 against 58.4 % on MIT-67 indoor scenes. Not for these subsets.

    python -m experiments.transfer.augmented_svm

Training images are drawn from the training part; the test is on the whole test part.
C is fixed in advance. The paper does not give the power; 0.5 is usual.
"""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from experiments import common, photo_features, training_cells
from transfer_jax import data, ops, shallow, study
from transfer_jax.data import features
from transfer_jax.types import Samples

DOMAINS = ('caltech101', 'office_amazon', 'office_caltech10', 'fake')
ARMS = ('cnn', 'power', 'mean', 'scores')
SHARE = 3 / 4  # of the side, of a crop
ANGLES = (-15, 15)
POWER = 0.5
COST = 10.0


@dataclasses.dataclass(frozen=True)
class Config:
    """Linear SVMs on features of one or of several views."""

    network: str = 'squeezenet'
    domain: str = 'office_amazon'
    """office_amazon, office_caltech10 or caltech101."""
    size: int = 128
    """Side of the images."""
    counts: str = '5,20'
    """Training images of each class."""
    draws: int = 5
    weights: str = 'pretrained'
    """pretrained, or random as a baseline."""


def build(config: Config) -> study.Study:
    """The study of a config."""
    photo_features.check(config.network)
    if config.domain not in DOMAINS:
        raise ValueError(
            f'no domain {config.domain!r}; choose from {", ".join(DOMAINS)}'
        )
    if config.weights not in ('pretrained', 'random'):
        raise ValueError(f'no weights {config.weights!r}: pretrained or random')
    cells = [
        {'arm': arm, 'n': n, 'seed': seed}
        for arm in ARMS
        for n in map(int, config.counts.split(','))
        for seed in range(config.draws)
    ]
    return study.Study(
        name='transfer.augmented_svm',
        config=config,
        task=f'{config.weights} {config.network} on {config.domain}, {config.size} px',
        cells=tuple(cells),
        prepare=functools.partial(_prepare, config),
        measure=_measure,
        across='n',
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """Amazon's images, and 20 classes of Caltech-101."""
    yield Config()
    yield Config(domain='caltech101')


def fast() -> Config:
    """A run of seconds: generated images, random weights."""
    return Config('squeezenet', 'fake', 33, '2', 1, 'random')


def views(images: np.ndarray) -> list[np.ndarray]:
    """The images (n, s, s, 3) uint8 themselves and seven views of each."""
    n, side = images.shape[:2]
    part = round(SHARE * side)
    last, middle = side - part, (side - part) // 2
    corners = [(y, x) for y in (0, last) for x in (0, last)]
    crops = [
        data.images.resize(images[:, y : y + part, x : x + part], side)
        for y, x in [*corners, (middle, middle)]
    ]
    turned = [
        np.stack([
            np.asarray(Image.fromarray(image).rotate(angle, Image.Resampling.BILINEAR))
            for image in images
        ])
        for angle in ANGLES
    ]  # fmt: skip
    return [images, *crops, *turned]


def _prepare(config: Config, data_dir: str | None) -> Any:
    """(features (views, n, d) of training and test images, their labels, classes)."""
    domain = data.load(config.domain, size=config.size, data_dir=data_dir)
    wanted = {'last': (photo_features.LAST_MAP[config.network], photo_features.average)}
    found = []
    for part in (domain.train, domain.test):
        every = np.concatenate(views(part.image))
        rows = photo_features.features(
            config.network,
            every,
            wanted,
            data_dir=data_dir,
            random=0 if config.weights == 'random' else None,
        )['last']
        found.append(rows.reshape(-1, len(part), rows.shape[1]))
    return *found, domain.train.label, domain.test.label, len(domain.classes)


def _measure(prepared, cell):
    train, test, label, test_label, classes = prepared
    rows = features.draw_per_class(label, cell['n'], cell['seed'])
    x, y = (_made(cell['arm'], part) for part in (train[:, rows], test))
    samples = Samples(
        np.concatenate(x),
        np.tile(label[rows], len(x)),
        np.ones(len(x) * len(rows), np.float32),
    )
    fitted = shallow.linear_path('svm', classes, (COST,))(samples)
    scores = [np.asarray(shallow.linear_scores(fitted, view))[0] for view in y]
    return training_cells.score_logits(np.sum(scores, 0), test_label, classes)


def _made(arm, x):
    """What an arm makes of features (views, n, d): (views that it uses, n, d)."""
    if arm in ('cnn', 'power'):
        x = x[:1]
    elif arm == 'mean':
        x = x.mean(0, keepdims=True)
    if arm != 'cnn':
        x = ops.signed_power(x, POWER)
    return np.asarray(ops.l2_normalise(x))


if __name__ == '__main__':
    common.main(Config, build, __file__)
