"""The second stage of ProNet on a trained first stage: boxes, crops, scores, points."""

from collections.abc import Callable

import flax.linen as nn
import jax
import numpy as np

from experiments.localization import measures, trunk
from transfer_jax import methods, ops

BOXES = 4  # of an image
SIZE = 0.5  # side of a box over that of the image
BATCH = 32


def second_stage(
    head: nn.Module,
    recipe: trunk.Recipe,
    below: trunk.Trunk,
    first_stage: Callable,
    *,
    train: tuple[np.ndarray, np.ndarray],
    test: np.ndarray,
    seed: int,
) -> measures.Prediction:
    """Trains on boxes of the training images, and predicts the test images.

    A box is enlarged by half, to three quarters of the image's side. Scores are the
    means of both stages. The point of a class is the peak of its map in the box with
    its highest score.

    Args:
      first_stage: trunk.predict of the first stage, with all arguments but `images`.
      train: images and labels.
      test: images.
    """
    images, label = train
    side = images.shape[1] * 3 // 4
    train_boxes = _boxes(first_stage(images=images))
    first = first_stage(images=test)
    boxes = _boxes(first)
    maps = trunk.both(below, _crops(images, train_boxes, side))
    maps = maps.reshape(2, len(images), BOXES, *maps.shape[2:])
    method = trunk.method(below.network, head, recipe, _pronet)
    state = trunk.train(method, recipe, below, [trunk.Items(maps, label)], seed)
    maps = trunk.features(below, _crops(test, boxes, side))
    maps = maps.reshape(len(test), BOXES, *maps.shape[1:])
    second = _predict(method, state, maps)
    best = second['boxes'].argmax(1)  # (n, c)
    n, c = best.shape
    peaks = np.stack(
        [
            measures.Prediction.of_maps(
                second['boxes'][:, b], second['maps'][:, b]
            ).points
            for b in range(BOXES)
        ],
        1,
    )
    at = np.arange(n)[:, None], best
    inside = peaks[at[0], at[1], np.arange(c)]
    chosen = boxes[at]
    points = chosen[..., :2] + inside * (chosen[..., 2:] - chosen[..., :2])
    scores = (first['logits'] + second['logits']) / 2
    return measures.Prediction(scores, first['maps'], points)


def _boxes(outputs):
    """(n, BOXES, 4) around the peaks of the maps."""
    return np.asarray(ops.boxes_at_peaks(outputs['maps'], BOXES, SIZE))


def _pronet(encoder, head, **options):
    return methods.pronet(encoder, head, pool=ops.global_max, **options)


def _predict(method, state, maps):
    """{'logits': (n, c), 'boxes': (n, b, c), 'maps': (n, b, h, w, c)}."""
    predict = jax.jit(method.predict)
    parts = [
        predict(state, {'source': {'image': maps[i : i + BATCH].astype(np.float32)}})
        for i in range(0, len(maps), BATCH)
    ]
    return {
        k: np.concatenate([np.asarray(part['source'][k]) for part in parts])
        for k in parts[0]['source']
    }


def _crops(images, boxes, side):
    """(n * boxes, side, side, 3) uint8."""
    crop = jax.jit(ops.crop_and_zoom, static_argnums=2)
    parts = []
    for i in range(0, len(images), BATCH):
        part = crop(
            images[i : i + BATCH].astype(np.float32), boxes[i : i + BATCH], (side, side)
        )
        parts.append(np.rint(np.asarray(part)).astype(np.uint8))
    return np.concatenate(parts).reshape(-1, side, side, 3)
