"""What evaluations read: batches in a fixed order, and a cap for the validators."""

from collections.abc import Callable

import numpy as np

from transfer_jax import data, selection
from transfer_jax.data import features
from transfer_jax.recipes import reading
from transfer_jax.types import Batch

BATCH = 100  # larger ones are slower on CPU: patches outgrow its caches
IN_MEMORY = data.Arrays | data.Images | features.Features | features.Unlabelled
CAP_SEED = 0  # of the images that validators see


def batches(
    source: data.Source,
    scale: Callable[[Batch], Batch] | None = None,
    size: int = BATCH,
) -> data.Batches:
    """All examples in order, scaled as the network expects.

    Images that are not in memory are read by several threads.
    """
    threads = 1 if isinstance(source, IN_MEMORY) else reading.THREADS
    read = data.batches(source, min(size, len(source)), threads=threads)
    return read if scale is None else read.map(scale)


def capped(count: int) -> np.ndarray:
    """Sorted indices of at most 2,000 of `count` examples, the same for every run."""
    order = np.random.default_rng(CAP_SEED).permutation(count)
    return np.sort(order[: selection.MAX_IMAGES])
