"""Measures of where a class is: points and boxes from maps, against true boxes.

Boxes are (k, 4) x0, y0, x1, y1 in pixels, the edges of the area that they cover: pixel
(i, j) is the square from i to i + 1 and j to j + 1, and a box is x1 - x0 wide. So no 1
is added anywhere; readers turn VOC's inclusive corners, counted from 1, into these.
Points are (x, y). `boxes` and `label` have an array (k, 4) and (k,) for each image.

With `difficult`, (k,) for each image, what falls on a difficult box alone is neither
right nor wrong, as in VOC, and an image counts as showing a class if a box of it is not
difficult. Measures of each class are NaN without such an image.
"""

from collections.abc import Sequence

import numpy as np

from transfer_jax.metrics import ranking

TOLERANCE = 18.0  # pixels
THRESHOLD = 0.2  # of a map's range
OVERLAP = 0.5  # intersection over union

PerImage = Sequence[np.ndarray]


def peaks(maps: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(n, h', w', c), (n, 2) -> (n, c, 2): the middle of each map's largest cell.

    A cell is 1 / w' of an image's width; of equal cells the first counts. Enlarging the
    map bilinearly, as Oquab et al. do, leaves the largest value where it is.

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
    """(n, 2) -> (n, c, 2): the middle of each image, what `peaks` must beat."""
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
    """(n, c), (n, c, 2) -> (c,): AP of one place for each image and class.

    The metric of Oquab et al. (CVPR 2015, section 5). A place is right if it lies in a
    box of its class, with a tolerance of 18 pixels of the original image. If not, it is
    a false positive, in an image with the class as in one without, and the image's
    object stays unfound: AP is 1 only where presence is ranked without error and every
    place is right. Recall is of the images that show the class. The AP is that of VOC
    2012, the paper's data (`ranking.voc_average_precision`).

    Args:
      scores: confidence that image i shows class k.
    """
    scores, points = np.asarray(scores), np.asarray(points, np.float64)
    _check(boxes, label, difficult, scores.shape[1], len(scores))
    if points.shape != (*scores.shape, 2):
        raise ValueError(f'scores {scores.shape} and points {points.shape}')
    hit = _near(points, tolerance)
    right, shown, ignored = _judged(hit, boxes, label, difficult, *scores.shape)
    return np.array(
        [
            ranking.voc_average_precision(
                scores[:, k],
                right[:, k],
                ignored=ignored[:, k],
                total=shown[:, k].sum(),
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
    """(n, c, 2) -> (c,): share of the images with a class whose point is in its box.

    The pointing game (Zhang et al., ECCV 2016, with a tolerance of 15 pixels): the
    classes that are shown are given, and scores play no part.
    """
    points = np.asarray(points, np.float64)
    n, classes = points.shape[:2]
    _check(boxes, label, difficult, classes, n)
    hit = _near(points, tolerance)
    return _share(*_judged(hit, boxes, label, difficult, n, classes))


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, 4), (m, 4) -> (n, m), intersection over union; 0 where both are empty."""
    a, b = (np.asarray(x, np.float64).reshape(-1, 4) for x in (a, b))
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.prod(np.maximum(high - low, 0), -1)
    one, other = (np.prod(np.maximum(x[:, 2:] - x[:, :2], 0), -1) for x in (a, b))
    union = one[:, None] + other[None] - both
    return np.where(union > 0, both / np.where(union > 0, union, 1), 0.0)


def box_of_map(
    score_map: np.ndarray, size: tuple[int, int], threshold: float = THRESHOLD
) -> np.ndarray:
    """(h', w') -> (4,): the box around the largest part of a map above a threshold.

    The map is enlarged bilinearly to the image's `size` (height, width). Of its pixels
    above threshold * maximum the largest connected part is boxed (corners connect; the
    first of equal parts), as in Zhou et al. (CVPR 2016, section 3.2), with their 20 %.
    Unlike there the map's minimum is subtracted first, since scores may be negative. A
    constant map gives the whole image.

    Raises:
      ValueError: no map, values that are not finite, or a threshold not in [0, 1).
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
    # Shifted and scaled before the rounding to float32 that Pillow asks for.
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
    found = np.zeros((len(maps), maps.shape[-1], 4), np.float32)
    for i, k in np.ndindex(found.shape[:2]):
        found[i, k] = box_of_map(maps[i, ..., k], sizes[i], threshold)
    return found


def corloc(
    found: np.ndarray,
    boxes: PerImage,
    label: PerImage,
    classes: int,
    *,
    overlap: float = OVERLAP,
    difficult: PerImage | None = None,
) -> np.ndarray:
    """(n, c, 4) -> (c,): share of a class's images whose box is that of an object.

    CorLoc (Deselaers et al., IJCV 2012): of the images that show the class, those whose
    one box has an IoU of 0.5 or more with any true box of it.
    """
    found = np.asarray(found, np.float64)
    _check(boxes, label, difficult, classes, len(found))
    if found.shape[1:] != (classes, 4):
        raise ValueError(f'found {found.shape}: not (n, {classes}, 4)')
    hit = _overlapping(found, overlap)
    return _share(*_judged(hit, boxes, label, difficult, len(found), classes))


def top1_localization(
    scores: np.ndarray,
    found: np.ndarray,
    boxes: PerImage,
    label: PerImage,
    *,
    overlap: float = OVERLAP,
) -> float:
    """(n, c), (n, c, 4) -> share of images whose best class is there and well boxed.

    ILSVRC's localisation with one guess (Russakovsky et al., IJCV 2015): the class of
    the largest score is one of the image's, and its box has an IoU of 0.5 or more with
    a box of it. Images without boxes are left out; NaN if none has one.
    """
    scores, found = np.asarray(scores), np.asarray(found, np.float64)
    n, classes = scores.shape
    _check(boxes, label, None, classes, n)
    right, shown, _ = _judged(
        _overlapping(found, overlap), boxes, label, None, n, classes
    )
    some = shown.any(1)
    guess = scores.argmax(1)
    return float(right[np.arange(n), guess][some].mean()) if some.any() else np.nan


def _near(points, tolerance):
    """hit(i, k, boxes (m, 4)) -> (m,): is the point in a box, or near it?"""

    def hit(i, k, own):
        low, high = own[:, :2] - tolerance, own[:, 2:] + tolerance
        return np.all((points[i, k] >= low) & (points[i, k] <= high), 1)

    return hit


def _overlapping(found, overlap):
    """hit(i, k, boxes (m, 4)) -> (m,): does the box found overlap enough?"""
    return lambda i, k, own: iou(found[i, k], own)[0] >= overlap


def _judged(hit, boxes, label, difficult, n, classes):
    """(n, c) each: right, showing the class, and neither right nor wrong."""
    right, shown, ignored = (np.zeros((n, classes), bool) for _ in range(3))
    for i in range(n):
        own = np.asarray(label[i])
        easy = np.ones(len(own), bool)
        if difficult is not None:
            easy = ~np.asarray(difficult[i], bool)
        for k in np.unique(own):
            mine = own == k
            hits = hit(i, k, np.asarray(boxes[i], np.float64)[mine])
            right[i, k] = np.any(hits & easy[mine])
            shown[i, k] = np.any(easy[mine])
            ignored[i, k] = not right[i, k] and (np.any(hits) or not shown[i, k])
    return right, shown, ignored


def _share(right, shown, ignored):
    """(n, c) -> (c,), of the images that show a class and are not left out."""
    counted = shown & ~ignored
    count = counted.sum(0)
    share = (right & counted).sum(0) / np.maximum(count, 1)
    return np.where(count > 0, share, np.nan)


def _check(boxes, label, difficult, classes, n):
    """Boxes, labels and what is difficult belong to n images and to the classes."""
    for name, given in (('boxes', boxes), ('label', label), ('difficult', difficult)):
        if given is not None and len(given) != n:
            raise ValueError(f'{n} images, {name} of {len(given)}')
    for i, (box, own) in enumerate(zip(boxes, label, strict=True)):
        if np.shape(box) != (len(own), 4):
            raise ValueError(f'image {i}: boxes {np.shape(box)} of {len(own)} labels')
        strange = [k for k in own if not 0 <= k < classes]
        if strange:
            raise ValueError(
                f'image {i}: class {strange[0]} is not in 0..{classes - 1}'
            )


def _maps(maps, sizes):
    maps, sizes = np.asarray(maps), np.asarray(sizes)
    if maps.ndim != 4 or sizes.shape != (len(maps), 2):
        raise ValueError(f'maps {maps.shape} and sizes {sizes.shape}')
    if not np.isfinite(maps).all():
        raise ValueError('maps must be finite')
    return maps, sizes
