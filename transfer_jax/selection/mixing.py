"""Mixed target images, the probes of MixVal: which pairs, and how they are mixed."""

import numpy as np

from transfer_jax.types import Batch

DOMINANT = 0.55  # weight of the image whose prediction the mixture should keep


def partners(label: np.ndarray) -> np.ndarray:
    """(n,) the image to mix with each image of a batch, by predicted labels (n,).

    The images are sorted by label. Every other one is paired with the next of its
    class. The others are paired with images of other classes; the partners of one
    class are spaced evenly over all images outside it. If a class has only one image,
    or the batch only one class, all its pairs are of the remaining kind. The image of a
    batch of one is its own partner.
    """
    count = len(label)
    order = np.argsort(label, kind='stable')
    _, first, size = np.unique(label[order], return_index=True, return_counts=True)
    first, size = np.repeat(first, size), np.repeat(size, size)
    position = np.arange(count)
    step = position - first  # within its class
    within = first + (step + 1) % size
    across = (first + size + step * (count - size) // size) % max(count, 1)
    same_class = (size == count) | ((size > 1) & (position % 2 == 0))
    partner = np.empty_like(position)
    partner[order] = order[np.where(same_class, within, across)]
    return partner


def mix(batch: Batch, partner: np.ndarray) -> Batch:
    """The batch with 0.55 of each image and 0.45 of its partner.

    Every entry except 'label' and 'mask' is mixed, images and feature vectors alike.

    Args:
      batch: with a 'mask' (b,), 0 where an image is padding; padding is not mixed.
      partner: (n,) for the n images that are not padding.
    """
    rows = np.flatnonzero(np.asarray(batch['mask']) > 0)
    mixed = dict(batch)
    for key in batch.keys() - {'label', 'mask'}:
        value = np.array(batch[key], np.float32)
        value[rows] = DOMINANT * value[rows] + (1 - DOMINANT) * value[rows[partner]]
        mixed[key] = value
    return mixed
