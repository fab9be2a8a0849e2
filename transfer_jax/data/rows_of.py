"""Rows of a source: gathered from arrays in memory, or stacked item by item."""

from typing import Any

import numpy as np

from transfer_jax.data import checks
from transfer_jax.data.sources import Arrays, Images, Source


def gather(source: Source, indices: np.ndarray) -> dict[str, np.ndarray]:
    """The items at `indices`, stacked; whole rows at once for arrays in memory."""
    if not isinstance(source, Arrays | Images):
        return stack([source[int(index)] for index in indices])
    batch = {'image': source.image[indices]}
    if isinstance(source, Arrays):
        batch['label'] = source.label[indices].astype(np.int32, copy=False)
    return batch


def table(source: Arrays | Images) -> dict[str, np.ndarray]:
    """The arrays of a source in memory, for a device."""
    if isinstance(source, Images):
        return {'image': source.image}
    label = source.label.astype(np.int32, copy=False)
    return {'image': source.image, 'label': label}


def stack(items: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Items as a batch; labels must be whole numbers."""
    batch = {key: np.stack([item[key] for item in items]) for key in items[0]}
    if 'label' in batch:
        checks.check_label_type(batch['label'])
        batch['label'] = batch['label'].astype(np.int32, copy=False)
    return batch
