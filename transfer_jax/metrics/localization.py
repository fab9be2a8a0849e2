"""Localisation measures: points and boxes from score maps, against true boxes.

Boxes are (k, 4) x0, y0, x1, y1 in pixels, the edges of the area they cover: pixel
(i, j) is the square from i to i + 1 and j to j + 1, and a box is x1 - x0 wide. So no 1
is ever added; the readers convert VOC's inclusive corners, which are counted from 1.
Points are (x, y). `boxes` and `label` hold an array (k, 4) and (k,) for each image.

With `difficult`, (k,) for each image, an image counts as containing a class if one of
its boxes of that class is not difficult. A prediction that hits only difficult boxes is
never correct. In an average precision it is not wrong either, as in VOC; a share is
over all images that contain the class, so there it is a miss. Per-class measures are
NaN for a class that no image contains.
"""

from collections.abc import Sequence

import numpy as np

from transfer_jax.metrics import ranking

TOLERANCE = 18.0  # pixels
THRESHOLD = 0.2  # of a map's range
OVERLAP = 0.5  # intersection over union

PerImage = Sequence[np.ndarray]


def peaks(maps: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(n, h', w', c), (n, 2) -> (n, c, 2): the centre of each map's largest cell.

    A cell is 1 / w' of an image's width; among equal cells the first counts. Enlarging
    the map bilinearly, as Oquab et al. do, does not move its maximum.

    Args:
      sizes: height and width of each image.
    """
    maps, sizes = _maps(maps, sizes)
    n, height, width, c = maps.shape
    row, column = np.divmod(maps.reshape(n, height * width, c).argmax(1), width)
    x = (column + 0.5) * sizes[:, 1:] / width
    y = (row + 0.5) * sizes[:, :1] / height
    return np.stack([x, y], -1)


def centres(sizes: np.ndarray, classes: int) -> np.ndarray:
    """(n, 2) -> (n, c, 2): the centre of each image, the baseline of `peaks`."""
    middle = np.asarray(sizes, np.float64)[:, None, ::-1] / 2
    return np.repeat(middle, classes, axis=1)


def pointwise_average_precision(
    scores: np.ndarray,
    points: np.ndarray,
    boxes: PerImage,
    label: PerImage,
    *,
    tolerance: float = TOLERANCE,
    difficult: PerImage | None = None,
) -> np.ndarray:
    """(n, c), (n, c, 2) -> (c,): AP of one predicted point per image and class.

    The metric of Oquab et al. (CVPR 2015, section 5). A point is correct if it lies in
    a box of its class, with a tolerance of 18 pixels of the original image. Otherwise
    it is a false positive, whether or not the image contains the class, and the object
    counts as missed. AP is therefore 1 only if presence is ranked without error and
    every point is correct. Recall is over the images that contain the class. The AP is
    that of VOC 2012, the paper's data (`ranking.voc_average_precision`).

    Args:
      scores: confidence that image i contains class k.
    """
    scores, points = np.asarray(scores), np.asarray(points, np.float64)
    _check(boxes, label, difficult, scores.shape[1], len(scores))
    if points.shape != (*scores.shape, 2):
        raise ValueError(f'scores {scores.shape} and points {points.shape}')
    hit = _near(points, tolerance)
    correct, present, ignored = _judge(hit, boxes, label, difficult, *scores.shape)
    return np.array(
        [
            ranking.voc_average_precision(
                scores[:, k],
                correct[:, k],
                ignored=ignored[:, k],
                total=present[:, k].sum(),
            )
            for k in range(scores.shape[1])
        ]
    )


def hit_rate(
    points: np.ndarray,
    boxes: PerImage,
    label: PerImage,
    tolerance: float = 0.0,
    *,
    difficult: PerImage | None = None,
) -> np.ndarray:
    """(n, c, 2) -> (c,): share of a class's images whose point lies in a box of it.

    The pointing game (Zhang et al., ECCV 2016, with a tolerance of 15 pixels). The
    classes of an image are given, so scores play no part. Difficult boxes are as if not
    there.
    """
    points = np.asarray(points, np.float64)
    n, classes = points.shape[:2]
    _check(boxes, label, difficult, classes, n)
    hit = _near(points, tolerance)
    return _share(*_judge(hit, boxes, label, difficult, n, classes)[:2])


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, 4), (m, 4) -> (n, m), intersection over union; 0 where both are empty."""
    a, b = (np.asarray(x, np.float64).reshape(-1, 4) for x in (a, b))
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.prod(np.maximum(high - low, 0), -1)
    area_a, area_b = (np.prod(np.maximum(x[:, 2:] - x[:, :2], 0), -1) for x in (a, b))
    union = area_a[:, None] + area_b[None] - overlap
    return np.where(union > 0, overlap / np.where(union > 0, union, 1), 0.0)


def box_of_map(
    score_map: np.ndarray, size: tuple[int, int], threshold: float = THRESHOLD
) -> np.ndarray:
    """(h', w') -> (4,): the box around a map's largest region above a threshold.

    The map is enlarged bilinearly to the image's `size` (height, width). The box
    encloses the largest connected region of pixels above threshold * maximum (corners
    connect; among equal regions the first), as in Zhou et al. (CVPR 2016, section 3.2),
    with their 20 %. A constant map gives the whole image.

    Deviation: the map's minimum is subtracted first, since scores may be negative.

    Raises:
      ValueError: not a map, values that are not finite, or a threshold not in [0, 1).
    """
    from PIL import Image
    from scipy import ndimage

    score_map = np.asarray(score_map)
    if score_map.ndim != 2 or not score_map.size:
        raise ValueError(f'map {score_map.shape}: not (h, w)')
    if not np.isfinite(score_map).all():
        raise ValueError('a map must be finite')
    if not 0 <= threshold < 1:
        raise ValueError(f'threshold {threshold}: not in [0, 1)')
    height, width = (int(side) for side in size)
    # Shift and scale first: Pillow needs float32, which would round large values.
    low, high = float(score_map.min()), float(score_map.max())
    if low == high:
        return np.array([0, 0, width, height], np.float32)
    picture = Image.fromarray(((score_map - low) / (high - low)).astype(np.float32))
    heat = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
    above = heat > threshold * heat.max()
    parts, _ = ndimage.label(above, np.ones((3, 3)))
    largest = int(np.bincount(parts[above]).argmax())
    rows, columns = ndimage.find_objects(parts)[largest - 1]
    edges = (columns.start, rows.start, columns.stop, rows.stop)
    return np.array(edges, np.float32)


def boxes_of_maps(
    maps: np.ndarray, sizes: np.ndarray, threshold: float = THRESHOLD
) -> np.ndarray:
    """(n, h', w', c), (n, 2) -> (n, c, 4): `box_of_map` of every image and class."""
    maps, sizes = _maps(maps, sizes)
    boxes = np.zeros((len(maps), maps.shape[-1], 4), np.float32)
    for i, k in np.ndindex(boxes.shape[:2]):
        boxes[i, k] = box_of_map(maps[i, ..., k], sizes[i], threshold)
    return boxes


def corloc(
    predicted: np.ndarray,
    boxes: PerImage,
    label: PerImage,
    classes: int,
    *,
    overlap: float = OVERLAP,
    difficult: PerImage | None = None,
) -> np.ndarray:
    """(n, c, 4) -> (c,): share of a class's images whose predicted box is correct.

    CorLoc (Deselaers et al., IJCV 2012): the share of the images containing the class
    whose one predicted box has an IoU of 0.5 or more with any true box of the class.
    Difficult boxes are as if not there, so a box that hits only them is a miss.
    """
    predicted = np.asarray(predicted, np.float64)
    _check(boxes, label, difficult, classes, len(predicted))
    if predicted.shape[1:] != (classes, 4):
        raise ValueError(f'predicted {predicted.shape}: not (n, {classes}, 4)')
    hit = _overlapping(predicted, overlap)
    judged = _judge(hit, boxes, label, difficult, len(predicted), classes)
    return _share(*judged[:2])


def top1_localization(
    scores: np.ndarray,
    predicted: np.ndarray,
    boxes: PerImage,
    label: PerImage,
    *,
    overlap: float = OVERLAP,
) -> float:
    """(n, c), (n, c, 4) -> share of images whose best class is present and localised.

    ILSVRC's localisation with one guess (Russakovsky et al., IJCV 2015): the class with
    the largest score is a class of the image, and its predicted box has an IoU of 0.5
    or more with a true box of it. Images without boxes are left out; NaN if none has
    one.
    """
    scores, predicted = np.asarray(scores), np.asarray(predicted, np.float64)
    n, classes = scores.shape
    _check(boxes, label, None, classes, n)
    correct, present, _ = _judge(
        _overlapping(predicted, overlap), boxes, label, None, n, classes
    )
    labelled = present.any(1)
    guess = correct[np.arange(n), scores.argmax(1)]
    return float(guess[labelled].mean()) if labelled.any() else np.nan


def _near(points, tolerance):
    """hit(i, k, boxes (m, 4)) -> (m,): is the point in a box, or near it?"""

    def hit(i, k, true_boxes):
        low, high = true_boxes[:, :2] - tolerance, true_boxes[:, 2:] + tolerance
        return np.all((points[i, k] >= low) & (points[i, k] <= high), 1)

    return hit


def _overlapping(predicted, overlap):
    """hit(i, k, boxes (m, 4)) -> (m,): does the predicted box overlap enough?"""
    return lambda i, k, true_boxes: iou(predicted[i, k], true_boxes)[0] >= overlap


def _judge(hit, boxes, label, difficult, n, classes):
    """(correct, present, ignored), (n, c) each; ignored: neither correct nor wrong."""
    correct, present, ignored = (np.zeros((n, classes), bool) for _ in range(3))
    for i in range(n):
        image_label = np.asarray(label[i])
        easy = np.ones(len(image_label), bool)
        if difficult is not None:
            easy = ~np.asarray(difficult[i], bool)
        for k in np.unique(image_label):
            of_class = image_label == k
            hits = hit(i, k, np.asarray(boxes[i], np.float64)[of_class])
            correct[i, k] = np.any(hits & easy[of_class])
            present[i, k] = np.any(easy[of_class])
            ignored[i, k] = not correct[i, k] and (np.any(hits) or not present[i, k])
    return correct, present, ignored


def _share(correct, present):
    """(n, c) -> (c,), of the images that contain a class."""
    count = present.sum(0)
    share = (correct & present).sum(0) / np.maximum(count, 1)
    return np.where(count > 0, share, np.nan)


def _check(boxes, label, difficult, classes, n):
    """Boxes, labels and difficult flags must fit n images and the classes."""
    for name, given in (('boxes', boxes), ('label', label), ('difficult', difficult)):
        if given is not None and len(given) != n:
            raise ValueError(f'{n} images, but {name} of {len(given)}')
    for i, (image_boxes, image_label) in enumerate(zip(boxes, label, strict=True)):
        if np.shape(image_boxes) != (len(image_label), 4):
            raise ValueError(
                f'image {i}: boxes {np.shape(image_boxes)} for {len(image_label)} '
                'labels'
            )
        invalid = [k for k in image_label if not 0 <= k < classes]
        if invalid:
            raise ValueError(
                f'image {i}: class {invalid[0]} is not in 0..{classes - 1}'
            )


def _maps(maps, sizes):
    maps, sizes = np.asarray(maps), np.asarray(sizes)
    if maps.ndim != 4 or sizes.shape != (len(maps), 2):
        raise ValueError(f'maps {maps.shape} and sizes {sizes.shape}')
    if not np.isfinite(maps).all():
        raise ValueError('maps must be finite')
    return maps, sizes
