"""The second stage of ProNet on a trained first one: boxes, crops, scores, points."""

from collections.abc import Callable

import flax.linen as nn
import jax
import numpy as np

from experiments.localization import measures, trunk
from transfer_jax import methods, ops

BOXES = 4  # of an image
SIZE = 0.5  # of a box, as a share of the image
BATCH = 32


def second_stage(
    head: nn.Module,
    recipe: trunk.Recipe,
    below: trunk.Trunk,
    ask: Callable,
    images: np.ndarray,
    label: np.ndarray,
    rest: np.ndarray,
    test: np.ndarray,
    seed: int,
) -> measures.Found:
    """Trains on the boxes of the images `rest`, and answers for the images `test`.

    A box is enlarged by half, to three quarters of the image's side. Scores are the
    means of both stages; a point is where the map of the box with the highest score for
    its class is highest.

    Args:
      ask: trunk.answers of the first stage, with everything but images.
    """
    side = images.shape[1] * 3 // 4
    answers, boxes = {}, {}
    for name, rows in (('rest', rest), ('test', test)):
        answers[name] = ask(images=images[rows])
        boxes[name] = np.asarray(ops.boxes_at_peaks(answers[name]['maps'], BOXES, SIZE))
    maps = trunk.both(below, _crops(images[rest], boxes['rest'], side))
    maps = maps.reshape(2, len(rest), BOXES, *maps.shape[2:])
    method = trunk.method(head, recipe, _pronet)
    items = trunk.Items(maps, label[rest])
    state = trunk.train(method, recipe, below, [items], seed)
    maps = trunk.features(below, _crops(images[test], boxes['test'], side))
    maps = maps.reshape(len(test), BOXES, *maps.shape[1:])
    found = _answers(method, state, maps)
    best = found['boxes'].argmax(1)  # (n, c)
    n, c = best.shape
    peaks = np.stack(
        [
            measures.Found.of_maps(found['boxes'][:, b], found['maps'][:, b]).points
            for b in range(BOXES)
        ],
        1,
    )
    at = np.arange(n)[:, None], best
    inside = peaks[at[0], at[1], np.arange(c)]
    chosen = boxes['test'][at]
    points = chosen[..., :2] + inside * (chosen[..., 2:] - chosen[..., :2])
    first = answers['test']
    scores = (first['logits'] + found['logits']) / 2
    return measures.Found(scores, first['maps'], points)


def _pronet(encoder, head, **how):
    return methods.pronet(encoder, head, pool=ops.global_max, **how)


def _answers(method, state, maps):
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
    made = []
    for i in range(0, len(images), BATCH):
        part = crop(
            images[i : i + BATCH].astype(np.float32), boxes[i : i + BATCH], (side, side)
        )
        made.append(np.rint(np.asarray(part)).astype(np.uint8))
    return np.concatenate(made).reshape(-1, side, side, 3)
