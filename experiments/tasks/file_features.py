"""Features of image files at their own aspect ratios, however many there are."""

from collections.abc import Callable, Sequence

import numpy as np

from experiments.tasks import photo_features
from transfer_jax import data, evaluation
from transfer_jax.data import reader
from transfer_jax.training import log

PIXELS = photo_features.BATCH * 224**2  # of a batch: large images make small batches
AHEAD = 2  # batches that are decoded while the network computes


def features(
    pictures: Sequence[data.shapes.Picture],
    predictor: tuple[evaluation.Predict, Callable],
    names: Sequence[str],
    size: int,
    *,
    square: bool,
    title: str,
) -> dict[str, np.ndarray]:
    """{name: (n, d) float32} of pictures, in their order.

    They are decoded batch by batch, and grouped by shape: each shape is compiled once
    for a predictor.

    Args:
      predictor: of photo_features.predictor, for `names`, with pools that make vectors
        (n, d) of maps of any size.
      size, square: as in data.shapes.shape_of.
      title: of the line of progress.

    Raises:
      ValueError: files that cannot be read; the message names them.
    """
    predict, scale = predictor
    groups = data.shapes.by_shape(pictures, size, square=square)
    done, found = 0, {}
    progress = log.Progress(title, len(pictures))

    def watched(batches):
        nonlocal done
        with reader.Reader(batches, 0, len(batches), AHEAD) as ready:
            for batch in ready:
                yield scale(batch)
                done += int(batch['mask'].sum())
                progress.update(done, {})

    try:
        for (height, width), rows in groups.items():
            most = max(1, min(photo_features.BATCH, PIXELS // (height * width)))
            group = data.shapes.batches(
                [pictures[row] for row in rows], (height, width), min(most, len(rows))
            )
            vectors = evaluation.extract(predict, watched(group), tuple(names))
            for name, x in vectors.items():
                if name not in found:
                    found[name] = np.empty((len(pictures), *x.shape[1:]), x.dtype)
                found[name][rows] = x
        progress.line(done, {}, 'pictures')
    finally:
        progress.close()
    return found
