"""Scores and maps of test images against their labels and boxes."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax import data, metrics
from transfer_jax.reports import overlays

VALUES = ('mAP', 'voc07', 'pointwise', 'hit_rate', 'corloc', 'top1')
# {value of a row: title of a figure}
SHOWN = {'mAP': 'mAP of classification', 'pointwise': 'AP of pointwise localisation'}
MASKS = ('mean_iou', 'pixel_accuracy', 'class_accuracy')  # of segmentation
TOLERANCE = 18.0  # pixels of the image as it is


class Found(NamedTuple):
    """What a network says of images."""

    scores: np.ndarray  # (n, c)
    maps: np.ndarray  # (n, h, w, c)
    points: np.ndarray  # (n, c, 2) x, y as shares of the image

    @classmethod
    def of_maps(cls, scores: np.ndarray, maps: np.ndarray) -> 'Found':
        """With the points at the peaks of the maps."""
        return cls(scores, maps, metrics.peaks(maps, np.ones((len(maps), 2))))

    def at_centre(self) -> 'Found':
        """The same scores, and no knowledge of places."""
        return self._replace(
            maps=np.ones_like(self.maps), points=np.full_like(self.points, 0.5)
        )


class Truth(NamedTuple):
    """Boxes x0, y0, x1, y1 in pixels of images of given sizes."""

    sizes: np.ndarray  # (n, 2) height, width
    boxes: Sequence[np.ndarray]  # (k, 4) of each image
    label: Sequence[np.ndarray]  # (k,)
    difficult: Sequence[np.ndarray] | None = None
    present: np.ndarray | None = None  # (n, c), -1 where an image is left out


def truth(photos: data.voc.Annotated, rows: np.ndarray) -> Truth:
    """Of some photographs."""
    own = photos.take(rows)
    return Truth(
        own.sizes, own.boxes, own.label, own.difficult, data.voc.multi_hot(own)
    )


def measure(found: Found, truth: Truth) -> dict[str, float]:
    """The columns of the tables: the mean over classes, but `top1` over images."""
    points = found.points * truth.sizes[:, None, ::-1]
    # Of the maximum, not of the range: a negative score is no sign of the class.
    boxes = metrics.boxes_of_maps(np.maximum(found.maps, 0), truth.sizes)
    known = truth.boxes, truth.label
    hard = {'difficult': truth.difficult}
    by_rank = functools.partial(
        metrics.voc_mean_average_precision,
        found.scores,
        truth.present > 0,
        ignored=truth.present < 0,
    )
    classes = found.scores.shape[1]
    each = {
        'pointwise': metrics.pointwise_average_precision(
            found.scores, points, *known, tolerance=TOLERANCE, **hard
        ),
        'hit_rate': metrics.hit_rate(points, *known, TOLERANCE, **hard),
        'corloc': metrics.corloc(boxes, *known, classes, **hard),
        'top1': metrics.top1_localization(found.scores, boxes, *known),
    }
    return {
        'mAP': by_rank(),
        'voc07': by_rank(points=11),
        **{name: float(np.nanmean(values)) for name, values in each.items()},
    }


def masks(
    found: np.ndarray, truth: np.ndarray, classes: int, void: int | None = 255
) -> dict[str, float]:
    """MASKS of predicted and true labels (n, h, w), over all their pixels."""
    metric = metrics.mean_iou(classes, void)
    batch = {'label': truth, 'mask': np.ones(len(truth), np.float32)}
    told = metric.compute(metric.update(metric.init(), {'prediction': found}, batch))
    return {name: told[name] for name in MASKS}


def examples(
    found: Found,
    truth: Truth,
    images: Sequence[np.ndarray],
    masks: Sequence[Mapping[str, np.ndarray]] | None = None,
    signed: bool = False,
) -> list[overlays.Example]:
    """For a figure: of each image the maps and points of the classes that it shows.

    Args:
      signed: the maps are evidence.
    """
    made = []
    for i, image in enumerate(images):
        height, width = image.shape[:2]
        shown = sorted(set(truth.label[i].tolist()))
        scale = np.tile([width, height] / truth.sizes[i][::-1], 2)
        made.append(
            overlays.Example(
                image,
                heats={k: found.maps[i, :, :, k] for k in shown},
                boxes=truth.boxes[i] * scale,
                label=truth.label[i],
                points={k: tuple(found.points[i, k] * [width, height]) for k in shown},
                masks=masks[i] if masks else {},
                signed=signed,
            )
        )
    return made


def photos(name: str, data_dir: str | None) -> data.voc.Annotated:
    """fruit_voc, fake, or voc:PATH.

    Raises:
      ValueError: another name.
      MissingData: the photographs are not in the data folder.
    """
    if name == 'fake':
        return data.voc.fake(12)
    if name == 'fruit_voc':
        return data.voc.fruit(None, data_dir)
    kind, _, path = name.partition(':')
    if kind != 'voc' or not path:
        raise ValueError(f'no data {name!r}; choose from fruit_voc, or voc:PATH')
    return data.voc.read(path)
