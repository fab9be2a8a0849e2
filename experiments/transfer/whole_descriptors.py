"""Descriptors of whole images: gradient histograms (HOG) and HSV histograms."""

from collections.abc import Sequence

import numpy as np

ORIENTATIONS = 9
BINS = {'hue': 16, 'saturation': 4, 'value': 4}  # of the joint HSV histogram


def hog(images: np.ndarray, cell: int) -> np.ndarray:
    """Images (n, h, w, 3) uint8 to blocks of gradient histograms (n, d), length 1.

    Args:
      cell: side of a cell, in pixels; a block has 2 x 2 cells.
    """
    return unit(np.stack([_hog(x, cell) for x in grey(images)]))


def hog_pictures(images: np.ndarray, cell: int) -> np.ndarray:
    """Their gradient histograms drawn as images (n, h, w, 3) uint8."""
    drawn = np.stack([_hog(x, cell, visualize=True)[1] for x in grey(images)])
    drawn = np.rint(255 * (drawn / drawn.max()) ** 0.5).astype(np.uint8)
    return np.repeat(drawn[..., None], 3, -1)


def hsv(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images (n, h, w, 3) uint8 to square roots of the shares of BINS (n, 256)."""
    from skimage import color

    bins = np.array(list(BINS.values()))

    def shares(image):
        pixel = (color.rgb2hsv(image) * bins).astype(int).reshape(-1, 3)
        pixel = np.minimum(pixel, bins - 1)  # 1.0 belongs to the last bin
        counts = np.bincount(np.ravel_multi_index(pixel.T, bins), minlength=bins.prod())
        return np.sqrt(counts / len(pixel))

    return unit(np.stack([shares(image) for image in images]))


def grey(images: np.ndarray) -> np.ndarray:
    """(n, h, w, 3) uint8 to (n, h, w) in [0, 1]."""
    from skimage import color

    return color.rgb2gray(images)


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _hog(image, cell, **options):
    from skimage import feature

    side = (cell, cell)
    return feature.hog(
        image, ORIENTATIONS, side, (2, 2), block_norm='L2-Hys', **options
    )
