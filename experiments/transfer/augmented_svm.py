"""CNN-SVM and CNNaug-SVM: off-the-shelf features, an astounding baseline (2014).

Published (Razavian et al., CVPR workshops 2014, table 1), mAP on PASCAL VOC 2007 with
OverFeat: CNN-SVM 73.9, CNNaug-SVM 77.2. Ours is another network and another set: the
gain by crops, rotations and the power transform is to be reproduced, not the numbers.

    python -m experiments.transfer.augmented_svm
    python -m experiments.transfer.augmented_svm --config.data voc2007 \
        --config.backbone alexnet
    python -m experiments.transfer.augmented_svm --config.data lazy:folder:PATH \
        --config.counts 0

Methods:

  cnn_svm     features of the whole image, scaled to length 1, and a linear SVM
  power       the same after the component-wise power transform sign(x) |x|^p; the paper
              does not give p
  cnnaug_svm  the transform and 16 views of each image, as in section 3.1 of the paper:
              the whole image, its four corners and its middle at 4/9 of the area, and
              the image rotated by -30 and 30 degrees, each with its mirror image

The SVM trains on every view of a training image; the scores of a test image are sums
over its views. n counts images, not views; 0 stands for the whole training part of a
published split. C was fixed in advance.

Data of several labels an image (voc2007, voc2012, voc:PATH) have an SVM for each class,
trained on the whole training part, trainval of VOC 2007. An image whose only instances
of a class are difficult does not count for that class. 3 folds of the training images
choose C, with the first view of each. The numbers are the mean of the 11-point average
precision (voc07) and that over all points (mAP).
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from experiments.tasks import (
    domain_specs,
    draws,
    labelled_images,
    photo_domains,
    training_trials,
)
from transfer_jax import cli, data, metrics, ops, shallow
from transfer_jax.recipes import encoders
from transfer_jax.reports import figures
from transfer_jax.runs import Study
from transfer_jax.types import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ('cnn_svm', 'power', 'cnnaug_svm')
ANGLES = (-30, 30)
VIEWS = 16
COSTS, FOLDS = (0.1, 1.0, 10.0, 100.0), 3  # for data of several labels an image


@dataclasses.dataclass(frozen=True)
class Config:
    """A linear SVM on the features of a pretrained network, with and without views."""

    data: str = 'caltech101'
    """A domain listed by `python -m experiments.data list`, folder:PATH, npz:PATH or
    tfds:NAME; with lazy: before it, images are decoded as they are needed. Of several
    labels an image: voc2007, voc2012 or voc:PATH."""
    backbone: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    size: int = 224
    """Side of the images in pixels."""
    counts: tuple[int, ...] = (5, 15, 30)
    """Training images of each class; 0 for the whole training part."""
    seeds: int = 3
    """Draws of the training images."""
    power: float = 0.5
    """p of the power transform."""
    cost: float = 10.0
    """C of the linear SVM; with several labels an image it is chosen."""


class Prepared(NamedTuple):
    """Features (n, views, d) of both parts, and their labels."""

    train: np.ndarray
    test: np.ndarray
    label: np.ndarray  # (n,); of several labels (n, c) 1, 0, or -1: does not count
    test_label: np.ndarray
    classes: tuple[str, ...]


def build(config: Config) -> Study:
    """The study of a config."""
    encoders.build(config.backbone)  # raises for an unknown name
    several = labelled_images.has_labels(config.data)
    if not several:
        photo_domains.check(config.data)
    trials = tuple(
        {'method': method, 'n': n, 'seed': seed}
        for method in METHODS
        for n in ((draws.ALL,) if several else config.counts)
        for seed in range(draws.number(n, config.seeds))
    )
    return Study(
        name='transfer.augmented_svm',
        config=config,
        task=f'{domain_specs.short_name(config.data)}, {config.backbone} at '
        f'{config.size} pixels',
        trials=trials,
        prepare=functools.partial(prepare, config),
        measure=functools.partial(measure, config),
        across='n',
        values=('voc07', 'mAP') if several else ('class_accuracy',),
        figures=None if several else draw,
        fast=config == fast(),
    )


def prepare(config: Config, data_dir: str | None) -> Prepared:
    """Features of every view of every image."""
    if labelled_images.has_labels(config.data):
        parts = labelled_images.load(config.data, config.size, data_dir)
        classes, label, test_label = parts.classes, parts.label, parts.test_label
    else:
        parts = photo_domains.load(config.data, size=config.size, data_dir=data_dir)
        classes, label, test_label = parts.classes, parts.train.label, parts.test.label
    encoder = encoders.load(config.backbone, data_dir)

    def extract(part):
        if isinstance(part, data.Arrays):
            extracted = [
                encoders.extract(config.backbone, encoder, view)
                for view in views(part.image)
            ]
            return np.stack(extracted, 1)
        every = encoders.extract(config.backbone, encoder, Views(part))
        return every.reshape(len(part), VIEWS, -1)

    return Prepared(
        extract(parts.train), extract(parts.test), label, test_label, classes
    )


class Views:
    """A source of the 16 views of every image of a source, one image after another."""

    def __init__(self, source: data.Source):
        # Threads read the views of a few images at a time.
        self._source = source
        self._of = functools.lru_cache(maxsize=64)(self._views)

    def __len__(self) -> int:
        return VIEWS * len(self._source)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {'image': self._of(index // VIEWS)[index % VIEWS]}

    def _views(self, index):
        image = self._source[index]['image'][None]
        return np.concatenate(list(views(image)))


def views(images: np.ndarray) -> Iterator[np.ndarray]:
    """16 views of images (n, s, s, 3), the images themselves first."""
    for view in _upright(images):
        yield view
        yield np.ascontiguousarray(view[:, :, ::-1])


def measure(config: Config, prepared: Prepared, trial: Mapping) -> dict[str, float]:
    """Test scores of one method, on one draw of training images."""
    several = prepared.label.ndim == 2
    rows = slice(None)
    if not several:
        rows = draws.rows(prepared.label, trial['n'], trial['seed'], prepared.classes)
    all_views = trial['method'] == 'cnnaug_svm'
    power = 1.0 if trial['method'] == 'cnn_svm' else config.power
    train, test = (
        unit_length(part if all_views else part[:, :1], power)
        for part in (prepared.train[rows], prepared.test)
    )
    n, count, d = train.shape
    if several:
        cost = choose_cost(train[:, 0], prepared.label)
        label = np.repeat(prepared.label, count, 0)
        fitted = shallow.multi_label_svm(train.reshape(-1, d), label, (cost,))
        scores = np.asarray(shallow.linear_scores(fitted, test.reshape(-1, d)))[0]
        scores = scores.reshape(-1, count, scores.shape[-1]).sum(1)
        return {**average_precision(scores, prepared.test_label), 'cost': cost}
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


def choose_cost(x: np.ndarray, label: np.ndarray) -> float:
    """The first of COSTS with the highest mAP on held-out folds of the training images.

    Args:
      x: (n, d).
      label: (n, c), 1, 0, or -1: does not count.
    """
    fold = np.random.default_rng(0).permutation(len(x)) % FOLDS
    total = np.zeros(len(COSTS))
    for held_out in range(FOLDS):
        inside, outside = fold == held_out, fold != held_out
        fitted = shallow.multi_label_svm(x[outside], label[outside], COSTS)
        scores = np.asarray(shallow.linear_scores(fitted, x[inside]))
        total += [average_precision(one, label[inside])['mAP'] for one in scores]
    return COSTS[int(np.argmax(total))]


def average_precision(scores: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """'mAP' over all points and 'voc07' over 11, of scores and labels (n, c)."""
    mean = functools.partial(
        metrics.voc_mean_average_precision, scores, label > 0, ignored=label < 0
    )
    return {'voc07': mean(points=11), 'mAP': mean()}


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
