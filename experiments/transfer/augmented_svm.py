"""CNN-SVM and CNNaug-SVM: off-the-shelf features, an astounding baseline (2014).

Published (Razavian et al., CVPR workshops 2014, table 1), mAP on PASCAL VOC 2007 with
OverFeat: CNN-SVM 73.9, CNNaug-SVM 77.2. Ours is another network and another set: the
gain by crops, rotations and the power transform is to be reproduced, not the numbers.

    python -m experiments.transfer.augmented_svm

Methods:

  cnn_svm     features of the whole image, scaled to length 1, and a linear SVM
  power       the same after the component-wise power transform sign(x) |x|^p; the paper
              does not give p
  cnnaug_svm  the transform and 16 views of each image, as in section 3.1 of the paper:
              the whole image, its four corners and its middle at 4/9 of the area, and
              the image rotated by -30 and 30 degrees, each with its mirror image

The SVM trains on every view of a training image; the scores of a test image are sums
over its views. n counts images, not views. C was fixed in advance.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from experiments.tasks import training_trials
from transfer_jax import cli, data, ops, shallow
from transfer_jax.data import features
from transfer_jax.recipes import encoders
from transfer_jax.reports import figures
from transfer_jax.runs import Study
from transfer_jax.types import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ('cnn_svm', 'power', 'cnnaug_svm')
ANGLES = (-30, 30)


@dataclasses.dataclass(frozen=True)
class Config:
    """A linear SVM on the features of a pretrained network, with and without views."""

    data: str = 'caltech101'
    """A domain listed by `python -m experiments.data list`, or folder:PATH."""
    backbone: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    size: int = 224
    """Side of the images in pixels."""
    counts: tuple[int, ...] = (5, 15, 30)
    """Training images of each class."""
    seeds: int = 3
    """Draws of the training images."""
    power: float = 0.5
    """p of the power transform."""
    cost: float = 10.0
    """C of the linear SVM."""


class Prepared(NamedTuple):
    """Features (n, views, d) of both parts, and their labels."""

    train: np.ndarray
    test: np.ndarray
    label: np.ndarray
    test_label: np.ndarray
    classes: tuple[str, ...]


def build(config: Config) -> Study:
    """The study of a config."""
    trials = tuple(
        {'method': method, 'n': n, 'seed': seed}
        for method in METHODS
        for n in config.counts
        for seed in range(config.seeds)
    )
    return Study(
        name='transfer.augmented_svm',
        config=config,
        task=f'{config.data}, {config.backbone} at {config.size} pixels',
        trials=trials,
        prepare=functools.partial(prepare, config),
        measure=functools.partial(measure, config),
        across='n',
        values=('class_accuracy',),
        figures=draw,
        fast=config == fast(),
    )


def prepare(config: Config, data_dir: str | None) -> Prepared:
    """Features of every view of every image."""
    domain = data.load(config.data, size=config.size, data_dir=data_dir)
    encoder = encoders.load(config.backbone, data_dir)

    def extract(images):
        extracted = [
            encoders.extract(config.backbone, encoder, view) for view in views(images)
        ]
        return np.stack(extracted, 1)

    return Prepared(
        extract(domain.train.image),
        extract(domain.test.image),
        domain.train.label,
        domain.test.label,
        domain.classes,
    )


def views(images: np.ndarray) -> Iterator[np.ndarray]:
    """16 views of images (n, s, s, 3), the images themselves first."""
    for view in _upright(images):
        yield view
        yield np.ascontiguousarray(view[:, :, ::-1])


def measure(config: Config, prepared: Prepared, trial: Mapping) -> dict[str, float]:
    """Test accuracy of one method, on one draw of training images."""
    rows = features.draw_per_class(
        prepared.label, trial['n'], trial['seed'], prepared.classes
    )
    all_views = trial['method'] == 'cnnaug_svm'
    power = 1.0 if trial['method'] == 'cnn_svm' else config.power
    train, test = (
        unit_length(part if all_views else part[:, :1], power)
        for part in (prepared.train[rows], prepared.test)
    )
    n, count, d = train.shape
    samples = Samples(
        train.reshape(n * count, d),
        np.repeat(prepared.label[rows], count),
        np.ones(n * count),
    )
    classes = len(prepared.classes)
    with jax.enable_x64(True):
        svm = shallow.linear_svm(classes, config.cost)
        fitted = svm.fit(jax.random.key(0), samples, None)
        scores = np.asarray(svm.logits(fitted, test.reshape(-1, d)))
    scores = scores.reshape(-1, count, classes).sum(1)
    return training_trials.score_logits(scores, prepared.test_label, classes)


def unit_length(x: np.ndarray, power: float) -> np.ndarray:
    """sign(x) |x|^power, divided by its length along the last axis, in float64."""
    with jax.enable_x64(True):
        return np.asarray(ops.l2_normalise(ops.signed_power(np.float64(x), power)))


def draw(rows: Sequence[dict]) -> dict[str, 'Figure']:
    """Accuracy by images of a class, a curve for each method."""
    lines: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        line = lines.setdefault(row['method'].replace('_', ' '), {})
        line.setdefault(row['n'], []).append(row['class_accuracy'])
    title = 'Accuracy on the test images'
    return {'augmented_svm': figures.bands(lines, title, 'images of each class')}


def _upright(images):
    """The whole image, five crops and two rotations, each (n, s, s, 3)."""
    from PIL import Image

    side = images.shape[1]
    small = round(side * 2 / 3)  # 4/9 of the area
    far, mid = side - small, (side - small) // 2
    yield images
    for top, left in ((0, 0), (0, far), (far, 0), (far, far), (mid, mid)):
        crop = images[:, top : top + small, left : left + small]
        yield data.images.resize(np.ascontiguousarray(crop), side)
    for angle in ANGLES:
        rotated = [
            Image.fromarray(image).rotate(angle, Image.Resampling.BILINEAR)
            for image in images
        ]
        yield np.stack([np.asarray(picture) for picture in rotated])


def sweep() -> Iterator[Config]:
    """The table of docs/transfer.md."""
    yield Config()


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config('fake', 'tiny', 32, (2, 4), seeds=1)


if __name__ == '__main__':
    cli.main(Config, build)
