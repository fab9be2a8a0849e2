"""Scores and maps of test images, measured against their labels and boxes."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax import data, metrics
from transfer_jax.reports import overlays

VALUES = ('mAP', 'voc07', 'pointwise', 'hit_rate', 'corloc', 'top1')
# {value of a row: title of a figure}
TITLES = {'mAP': 'mAP of classification', 'pointwise': 'AP of pointwise localisation'}
SEGMENTATION = ('mean_iou', 'pixel_accuracy', 'class_accuracy')
TOLERANCE = 18.0  # pixels of the original image


class Prediction(NamedTuple):
    """The scores, maps and points of a network for images."""

    scores: np.ndarray  # (n, c)
    maps: np.ndarray  # (n, h, w, c)
    points: np.ndarray  # (n, c, 2) x, y as fractions of the image

    @classmethod
    def of_maps(cls, scores: np.ndarray, maps: np.ndarray) -> 'Prediction':
        """A prediction with its points at the peaks of the maps."""
        return cls(scores, maps, metrics.peaks(maps, np.ones((len(maps), 2))))

    def at_centre(self) -> 'Prediction':
        """The same scores with constant maps and points at the centre."""
        return self._replace(
            maps=np.ones_like(self.maps), points=np.full_like(self.points, 0.5)
        )


class Truth(NamedTuple):
    """Boxes x0, y0, x1, y1 in pixels, labels, and the sizes of the images."""

    sizes: np.ndarray  # (n, 2) height, width
    boxes: Sequence[np.ndarray]  # (k, 4) of each image
    label: Sequence[np.ndarray]  # (k,)
    difficult: Sequence[np.ndarray] | None = None
    present: np.ndarray | None = None  # (n, c), -1 where an image is left out


def truth(photos: data.voc.Annotated, rows: np.ndarray) -> Truth:
    """The truth of the photographs at `rows`."""
    part = photos.take(rows)
    return Truth(
        part.sizes, part.boxes, part.label, part.difficult, data.voc.multi_hot(part)
    )


def measure(prediction: Prediction, truth: Truth) -> dict[str, float]:
    """The columns of the tables: means over classes; `top1` is a mean over images."""
    points = prediction.points * truth.sizes[:, None, ::-1]
    boxes = _boxes(prediction.maps, truth)
    objects = truth.boxes, truth.label
    difficult = {'difficult': truth.difficult}
    mean_average_precision = functools.partial(
        metrics.voc_mean_average_precision,
        prediction.scores,
        truth.present > 0,
        ignored=truth.present < 0,
    )
    classes = prediction.scores.shape[1]
    by_class = {
        'pointwise': metrics.pointwise_average_precision(
            prediction.scores, points, *objects, tolerance=TOLERANCE, **difficult
        ),
        'hit_rate': metrics.hit_rate(points, *objects, TOLERANCE, **difficult),
        'corloc': metrics.corloc(boxes, *objects, classes, **difficult),
        'top1': metrics.top1_localization(prediction.scores, boxes, *objects),
    }
    return {
        'mAP': mean_average_precision(),
        'voc07': mean_average_precision(points=11),
        **{name: float(np.nanmean(values)) for name, values in by_class.items()},
    }


def _boxes(maps, truth):
    """(n, c, 4): the boxes of the classes in each image; no measure reads another."""
    boxes = np.zeros((len(maps), maps.shape[-1], 4), np.float32)
    for i, size in enumerate(truth.sizes):
        for k in np.unique(truth.label[i]):
            # A share of the maximum, not of the range: a negative score is no evidence.
            evidence = np.maximum(maps[i, ..., k], 0)
            boxes[i, k] = metrics.box_of_map(evidence, size)
    return boxes


def measure_masks(
    predicted: np.ndarray, truth: np.ndarray, classes: int, void: int | None = 255
) -> dict[str, float]:
    """SEGMENTATION of predicted and true labels (n, h, w), over all their pixels."""
    metric = metrics.mean_iou(classes, void)
    batch = {'label': truth, 'mask': np.ones(len(truth), np.float32)}
    sums = metric.update(metric.init(), {'prediction': predicted}, batch)
    numbers = metric.compute(sums)
    return {name: numbers[name] for name in SEGMENTATION}


def examples(
    prediction: Prediction,
    truth: Truth,
    images: Sequence[np.ndarray],
    masks: Sequence[Mapping[str, np.ndarray]] | None = None,
    signed: bool = False,
) -> list[overlays.Example]:
    """For a figure: the maps and points of the classes present in each image.

    Args:
      signed: the maps are evidence for and against a class.
    """
    result = []
    for i, image in enumerate(images):
        height, width = image.shape[:2]
        present = sorted(set(truth.label[i].tolist()))
        points = prediction.points[i] * [width, height]
        scale = np.tile([width, height] / truth.sizes[i][::-1], 2)
        result.append(
            overlays.Example(
                image,
                heats={k: prediction.maps[i, :, :, k] for k in present},
                boxes=truth.boxes[i] * scale,
                label=truth.label[i],
                points={k: tuple(points[k]) for k in present},
                masks=masks[i] if masks else {},
                signed=signed,
            )
        )
    return result


def photos(name: str, data_dir: str | None) -> data.voc.Annotated:
    """The photographs of fruit_voc, fake, voc:PATH, or voc_lenient:PATH.

    voc_lenient mends small faults of the annotations and warns, see data.voc.read.

    Raises:
      ValueError: an unknown name.
      MissingData: the photographs are not in the data folder.
    """
    if name == 'fake':
        return data.voc.fake(12)
    if name == 'fruit_voc':
        return data.voc.fruit(None, data_dir)
    kind, _, path = name.partition(':')
    if kind not in ('voc', 'voc_lenient') or not path:
        raise ValueError(
            f'no data {name!r}; choose from fruit_voc, voc:PATH or voc_lenient:PATH'
        )
    return data.voc.read(path, lenient=kind == 'voc_lenient')
