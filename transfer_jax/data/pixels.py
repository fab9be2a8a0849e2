"""Pixel arithmetic shared by training and evaluation."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from transfer_jax.data import checks
from transfer_jax.data.sources import Arrays, Images

Batch = Mapping[str, Any]


def normalise(
    mean: np.ndarray, std: np.ndarray | None = None
) -> Callable[[Batch], Batch]:
    """f(batch): each uint8 'image' becomes float32 (x / 255 - mean) / std, both (c,).

    Without `std` there is no division. Nested batches such as {'source': {...},
    'target': {...}} are handled too. The function raises ValueError for images that are
    not uint8, such as normalised ones, or have another number of channels.
    """
    mean = np.asarray(mean, np.float32)
    if not np.all((mean >= 0) & (mean <= 1)):
        raise ValueError(
            f'normalise: mean is {mean}; it is of x / 255, so give numbers from 0 to 1'
        )
    if std is not None and not np.all(np.asarray(std) > 0):
        raise ValueError(f'normalise: std is {std}; give positive numbers')
    rate = None if std is None else 1 / np.asarray(std, np.float32)
    return _Normalise(mean, rate)


class _Normalise:
    """What `normalise` returns: on the host, and on a device (data.device)."""

    def __init__(self, mean: np.ndarray, rate: np.ndarray | None):
        self._mean, self._rate = mean, rate
        self.constants = (mean,) if rate is None else (mean, rate)
        self.on_device = _normalise_on_device

    def __call__(self, batch: Batch) -> Batch:
        return _each_image(lambda image: _scale(image, self._mean, self._rate), batch)


def _normalise_on_device(constants: tuple, batch: Batch) -> Batch:
    """`normalise` within a compiled step, up to rounding."""
    mean, *rate = constants

    def scale(image):
        scaled = image.astype(np.float32) / np.float32(255) - mean
        return scaled * rate[0] if rate else scaled

    return _each_image(scale, batch)


def _each_image(function: Callable, batch: Batch) -> Batch:
    """The batch with function(image) for each 'image', nested ones included."""
    changed = dict(batch)
    for key, value in batch.items():
        if isinstance(value, Mapping):
            changed[key] = _each_image(function, value)
        elif key == 'image':
            changed[key] = function(value)
    return changed


def channel_mean(*sources: Arrays | Images) -> np.ndarray:
    """Mean (c,) float32 in [0, 1] of each channel, with equal weight for each source.

    The lengths of the sources do not matter, since training batches hold equal parts.
    """
    means = []
    for source in sources:
        n, h, w, c = source.image.shape
        totals = source.image.reshape(n, -1).sum(0, dtype=np.int64)
        means.append(totals.reshape(h * w, c).sum(0) / (255.0 * n * h * w))
    return np.mean(means, axis=0).astype(np.float32)


def _scale(image: np.ndarray, mean: np.ndarray, rate: np.ndarray | None) -> np.ndarray:
    checks.check_type(image, f'normalise takes uint8 images, not {image.dtype}')
    channels = image.shape[-1:]
    if mean.shape != channels or (rate is not None and rate.shape != channels):
        raise ValueError(
            f'normalise: mean and std must be ({channels[0]},), one number for each '
            f'channel of images {image.shape}; mean is {mean.shape}'
        )
    image = np.divide(image, np.float32(255), dtype=np.float32)
    # Whole rows at once: with an inner loop of length c NumPy is four times slower.
    rows = image.reshape(*image.shape[:-2], -1)
    rows -= np.tile(mean, image.shape[-2])
    if rate is not None:
        rows *= np.tile(rate, image.shape[-2])
    return image
