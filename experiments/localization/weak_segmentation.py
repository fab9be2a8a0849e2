"""Segmentation of VOC 2012 by a network that was trained with image labels.

Published, mean IoU of 21 classes on the validation masks: WILDCAT 39.2, with a CRF 43.7
(Durand et al., CVPR 2017); trained with image labels too, EM-Adapt (Papandreou et al.,
ICCV 2015) 33.8, CCNN with a CRF (Pathak et al., ICCV 2015) 35.3. These numbers are
quoted, not checked in the papers' tables. Nothing was measured here on these data.

    python -m experiments.localization.weak_segmentation

Training reads the images of train and the classes in them. The test is on the masks of
val, of the list of ImageSets/Segmentation; no image of it is trained on. In testing,
the last stages of the network are dilated to a stride of 8 pixels where it can be: with
the same weights, the map is larger. As in experiments.localization.segmentation, a
class takes part if its score is positive, a position is background if every map is
below the fraction --config.background of its maximum there, and the CRF has the weights
of its authors' code. Maps are enlarged to the size of the image, whose mask is measured
with its void pixels left out.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.localization import masks, measures, pixels, poolings, schedule, trunk
from experiments.tasks import annotated_parts, domain_specs
from transfer_jax import cli, data, losses, metrics, runs
from transfer_jax.reports import overlays

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAPS, REFINED = 'maps', 'maps + CRF'
STRIDE = 8  # of the maps in testing
VOID = 255
SHOWN = 5  # images of a report


@dataclasses.dataclass(frozen=True)
class Config(schedule.Schedule):
    """Masks from a network that was trained with image labels; WILDCAT's schedule."""

    data: str = 'voc2012'
    """voc2012, or voc:PATH, a folder with masks of SegmentationClass."""
    background: float = 0.3
    """Fraction of a map's maximum below which a position is background."""


class Test(NamedTuple):
    """Images with a mask each; pixels.Photos reads them."""

    files: Sequence[pathlib.Path]
    load_image: Callable[[int], np.ndarray]
    mask: Callable[[int], np.ndarray]  # image -> (h, w) uint8: 0, 1 + class, or VOID


class Prepared(NamedTuple):
    """What the trials read."""

    classes: tuple[str, ...]
    test: Test
    # (pooling, seed) -> {'logits': (n, c), 'maps': (n, h, w, c)}, computed once
    score: Callable[[str, int], Mapping[str, np.ndarray]]


def build(config: Config) -> runs.Study:
    """The study of a config."""
    config.check(tuple(poolings.POOLINGS))
    if not 0 < config.background < 1:
        raise ValueError(f'background {config.background}: between 0 and 1')
    trials = tuple(
        {'pooling': name, 'method': method, 'seed': seed}
        for seed in range(config.seeds)
        for name in config.poolings
        for method in (MAPS, REFINED)
    )
    scales = ', '.join(map(str, config.scales))
    name = domain_specs.short_name(config.data)
    return runs.Study(
        name='localization.weak_segmentation',
        config=config,
        task=f'{name}, {config.network.title} at {scales} pixels',
        trials=trials,
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config),
        values=measures.SEGMENTATION,
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """The settings of WILDCAT."""
    yield Config()


def fast() -> Config:
    """A run of seconds on generated images, with random weights."""
    return Config(
        data='fake', scales=(96,), backbone='alexnet', cut='conv4', epochs=1, batch=4
    )


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    train, test = _parts(config.data, data_dir)
    below = trunk.load(data_dir, config.network, random=config.data == 'fake')
    label = data.voc.multi_hot(train)
    items = [
        trunk.items(below, pixels.Photos(train, side), label) for side in config.scales
    ]

    @functools.cache
    def score(pooling, seed):
        head = config.head(pooling, len(train.classes))
        recipe = config.recipe(losses.multi_label_logistic, len(label))
        method = trunk.method(below.network, head, recipe)
        state = trunk.train(method, recipe, below, items, seed)
        images = pixels.Photos(test, max(config.scales))
        sizes = [(side, side) for side in config.scales]
        return trunk.predict(
            head, below, state, images, sizes=sizes, output_stride=STRIDE
        )

    return Prepared(train.classes, test, score)


def _parts(name, data_dir) -> tuple[data.voc.Annotated, Test]:
    train, test = annotated_parts.parts(name, data_dir)
    if name == 'voc2012':
        masked = data.segmentation.load(name, 'val', data_dir)
        names = {path.name for path in masked.images}
        rows = [i for i, path in enumerate(train.files) if path.name not in names]
        return train.take(rows), Test(
            masked.images, masked.load_image, masked.load_label
        )
    if name == 'fake':
        mask = functools.partial(_painted, test)
        return train, Test(test.files, test.load_image, mask)
    rows = [i for i, path in enumerate(test.masks) if path is not None]
    if not rows:
        raise ValueError(f'{name}: no test image has a mask in SegmentationClass')
    test = test.take(rows)
    return train, Test(test.files, test.load_image, functools.partial(_read, test))


def _measure(config: Config, prepared: Prepared, trial: Mapping) -> dict[str, float]:
    classes = 1 + len(prepared.classes)
    confusion = np.zeros((classes, classes), np.int64)
    for i in range(len(prepared.test.files)):
        truth = prepared.test.mask(i)
        predicted = _predicted(config, prepared, trial, i, truth.shape)
        confusion += metrics.label_confusion(truth, predicted, classes, VOID)
    sums = {'confusion': confusion, 'invalid': 0}
    numbers = metrics.mean_iou(classes, VOID).compute(sums)
    return {name: numbers[name] for name in measures.SEGMENTATION}


def _predicted(config, prepared, trial, i, size) -> np.ndarray:
    """The mask (h, w) uint8 of a test image: 0 is background, class k is k + 1."""
    scored = prepared.score(trial['pooling'], trial['seed'])
    maps, logits = (scored[name][i : i + 1] for name in ('maps', 'logits'))
    shares = masks.with_background(maps, logits > 0, size, config.background)[0]
    if trial['method'] == MAPS:
        return np.asarray(shares).argmax(-1).astype(np.uint8)
    return masks.refine(np.asarray(shares), prepared.test.load_image(i))


def _read(test: data.voc.Annotated, i: int) -> np.ndarray:
    mask = test.load_mask(i)
    unknown = np.setdiff1d(mask, [*range(1 + len(test.classes)), VOID])
    if len(unknown):
        raise ValueError(
            f'{test.masks[i]}: the ids {unknown.tolist()} are neither 0 to '
            f'{len(test.classes)} nor {VOID}'
        )
    return mask


def _painted(test: data.voc.Annotated, i: int) -> np.ndarray:
    """The boxes of a generated image as its mask."""
    mask = np.zeros(test.sizes[i], np.uint8)
    for k, (x0, y0, x1, y1) in zip(
        test.label[i], test.boxes[i].astype(int), strict=True
    ):
        mask[y0:y1, x0:x1] = 1 + k
    return mask


def _pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """The first test images with their masks and those of both methods."""
    test, rows = prepared.test, range(min(SHOWN, len(prepared.test.files)))
    truth = [np.where(m == VOID, 0, m) for m in map(test.mask, rows)]
    columns = {
        'image': [test.load_image(i) for i in rows],
        'mask': [overlays.painted(mask) for mask in truth],
    }
    for method in (MAPS, REFINED):
        trial = {'pooling': config.poolings[0], 'seed': 0, 'method': method}
        columns[method] = [
            overlays.painted(_predicted(config, prepared, trial, i, truth[i].shape))
            for i in rows
        ]
    present = sorted({int(k) - 1 for mask in truth for k in np.unique(mask) if k})
    legend = {prepared.classes[k]: overlays.colour(k) for k in present}
    return {'masks': overlays.side_by_side(columns, 'Test images', legend)}


if __name__ == '__main__':
    cli.main(Config, build)
