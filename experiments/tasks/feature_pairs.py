"""Two domains of features: what a closed-form method sees, and its evaluation."""

from typing import NamedTuple

import jax
import numpy as np
from jax.tree_util import Partial

from transfer_jax import data, runs, selection, shallow
from transfer_jax.data import features
from transfer_jax.types import Samples

EVALUATION_BATCH = 100
# Rows that domains are padded to: few shapes, so that few programs are compiled.
SHAPES = (64, 128, 224, 320, 1152, 2048)


class Pair(NamedTuple):
    """The features of one run."""

    source: features.Features  # what the method is fitted on
    kept: np.ndarray  # (n,), 0 where the fit that is validated leaves it out
    validation: features.Features
    target: features.Unlabelled
    target_test: features.Features
    # Semi-supervised protocols alone: examples that are in neither of the two above
    target_labelled: features.Features | None = None


def held_out(pair: Pair) -> runs.HeldOut:
    """What the evaluation reads."""

    def read(source):
        return data.batches(source, min(EVALUATION_BATCH, len(source)))

    return runs.HeldOut(
        read(pair.validation), read(pair.target), read(pair.target_test)
    )


def samples(
    x: np.ndarray, label: np.ndarray | None = None, mask: np.ndarray | None = None
) -> Samples:
    """Examples padded to one of SHAPES; without labels, all are -1."""
    count = len(x)
    rows = next((s for s in SHAPES if s >= count), count) - count
    label = np.full(count, -1) if label is None else label
    mask = np.ones(count) if mask is None else mask
    return Samples(
        np.pad(x, ((0, rows), (0, 0))),
        np.pad(label.astype(np.int32), (0, rows), constant_values=-1),
        np.pad(mask.astype(np.float32), (0, rows)),
    )


def fit(
    pipeline: shallow.Pipeline, key, pair: Pair, mask: np.ndarray | None = None
) -> shallow.Fitted:
    """The pipeline fitted on a pair; the source examples with mask 0 are left out."""
    source = samples(pair.source.x, pair.source.label, mask)
    labelled = pair.target_labelled
    if labelled is not None:
        labelled = samples(labelled.x, labelled.label)
    return pipeline.fit(key, source, samples(pair.target.x), labelled)


def closed_form(pipeline: shallow.Pipeline):
    """(key, pair) -> {domain: predict}; the source is validated by a second fit."""

    def fitted(key, pair):
        result = fit(pipeline, key, pair)
        validated = result if pair.kept.all() else fit(pipeline, key, pair, pair.kept)
        return {
            'source': Partial(pipeline.predict_source, validated),
            'target': Partial(pipeline.predict, result),
        }

    return fitted


def circular_validation(pipeline: shallow.Pipeline, key, pair: Pair) -> float:
    """Of the pipeline on a pair, without any target label; see selection."""

    def adapt(x, label, target):
        fitted = pipeline.fit(key, samples(x, label), samples(target))
        return np.asarray(_predict(pipeline.predict, fitted, samples(target).x))[
            : len(target)
        ]

    kept = pair.kept > 0
    return selection.circular_validation(
        adapt,
        pair.source.x[kept],
        pair.source.label[kept],
        pair.target.x,
        pair.validation.x,
        pair.validation.label,
    )


def _predict(predict, fitted, x):
    return _labels(Partial(predict), fitted, x)


@jax.jit
def _labels(predict, fitted, x):
    return predict(fitted, {'x': x})['logits'].argmax(-1)
