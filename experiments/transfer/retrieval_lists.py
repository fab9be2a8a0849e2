"""Ranked lists of a retrieval set: what is correct, junk left out, measures."""

from collections.abc import Callable, Mapping

import numpy as np

from transfer_jax import data, metrics

BLOCK = 1_024  # queries whose whole rankings are in memory at a time

# Columns of the table; UKBench is measured by the precision at 4, a quarter of its N-S.
VALUES = ('mAP', 'recall_1', 'recall_10')
VALUES_OF = {'ukbench': ('precision_4', 'mAP', 'recall_1')}


def marked(
    gallery: data.landmarks.Gallery, queries: np.ndarray, index: np.ndarray
) -> np.ndarray:
    """Ranked images (q, k) of some queries (q,) -> (q, k) bool, whether correct.

    -1 is no image.
    """
    lists = [gallery.queries[i].positives for i in queries]
    return _listed(len(gallery.images), lists, index)


def judged(
    gallery: data.landmarks.Gallery, queries: np.ndarray, index: np.ndarray
) -> np.ndarray:
    """As `marked`, with junk taken out of the rankings."""
    lists = [gallery.queries[i].junk for i in queries]
    junk = _listed(len(gallery.images), lists, index)
    return metrics.without_junk(marked(gallery, queries, index), junk)


def measure(
    gallery: data.landmarks.Gallery, rank: Callable[[np.ndarray], np.ndarray]
) -> Mapping[str, float]:
    """The measures over all queries; mAP by the rule that the set is published with.

    Args:
      rank: queries (q,) -> all images of the gallery (q, k), the nearest first.
    """
    rows: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(gallery.queries), BLOCK):
        queries = np.arange(start, min(start + BLOCK, len(gallery.queries)))
        correct = judged(gallery, queries, rank(queries))
        total = np.array([len(gallery.queries[i].positives) for i in queries])
        plain = np.asarray(metrics.average_precision(correct, total))
        trapezoid = metrics.trapezoidal_average_precision(correct, total)
        each = {'mAP': trapezoid if gallery.trapezoidal else plain, 'mAP_plain': plain}
        for k in (1, 10):
            each[f'recall_{k}'] = correct[:, :k].any(1)
        each['precision_4'] = correct[:, :4].sum(1) / 4
        for name, values in each.items():
            rows.setdefault(name, []).append(values)
    result = {name: float(np.concatenate(x).mean()) for name, x in rows.items()}
    if gallery.name == 'ukbench':
        result['n_s'] = 4 * result['precision_4']
    return {**result, 'queries': len(gallery.queries)}


def _listed(images, lists, index):
    """(q, k): whether the images of each row are in its list."""
    found = np.zeros(index.shape, bool)
    for row, listed in enumerate(lists):
        flags = np.zeros(images + 1, bool)  # the last one is for -1
        flags[listed] = True
        found[row] = flags[index[row]]
    return found
