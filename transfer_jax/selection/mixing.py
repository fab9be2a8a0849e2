"""Mixed target images, MixVal's probes: which images, and their mixture."""

import numpy as np

from transfer_jax.types import Batch

DOMINANT = 0.55  # share of the image whose prediction the mixture is to keep


def partners(label: np.ndarray) -> np.ndarray:
    """(n,) which image each one of a batch is mixed with, by predicted labels (n,).

    Along the images sorted by label, every other one has the next of its class; the
    ones between have images of other classes, those of one class evenly spread over
    all that are not of it. Where a class has but one image, or the batch but one
    class, the pairs are of the kind that is left; an only image is its own partner.
    """
    count = len(label)
    order = np.argsort(label, kind='stable')
    _, first, size = np.unique(label[order], return_index=True, return_counts=True)
    first, size = np.repeat(first, size), np.repeat(size, size)
    place = np.arange(count)
    step = place - first  # within its class
    within = first + (step + 1) % size
    across = (first + size + step * (count - size) // size) % max(count, 1)
    inside = (size == count) | ((size > 1) & (place % 2 == 0))
    answer = np.empty_like(place)
    answer[order] = order[np.where(inside, within, across)]
    return answer


def mix(batch: Batch, partner: np.ndarray) -> Batch:
    """The batch with 0.55 of each image and 0.45 of its partner.

    Whatever is neither 'label' nor 'mask' is taken for images or feature vectors.

    Args:
      batch: with a 'mask' (b,), 0 where an image is padding; padding stays.
      partner: (n,) for the n images that are no padding.
    """
    rows = np.flatnonzero(np.asarray(batch['mask']) > 0)
    mixed = dict(batch)
    for key in batch.keys() - {'label', 'mask'}:
        value = np.array(batch[key], np.float32)
        value[rows] = DOMINANT * value[rows] + (1 - DOMINANT) * value[rows[partner]]
        mixed[key] = value
    return mixed
