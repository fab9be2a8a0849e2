"""Two domains of features: what a shallow method reads, how it is fitted and scored."""

from typing import NamedTuple

import jax
import numpy as np
from jax.tree_util import Partial

from experiments.tasks import evaluation_data
from transfer_jax import runs, selection, shallow
from transfer_jax.data import features
from transfer_jax.types import Samples

# Domains are padded to one of these numbers of rows: few shapes, few compilations.
SHAPES = (64, 128, 224, 320, 1152, 2048)


class Pair(NamedTuple):
    """The features of one run."""

    source: features.Features  # what the method is fitted on
    in_fit: np.ndarray  # (n,), 0 where the validated fit leaves the example out
    validation: features.Features
    target: features.Unlabelled
    target_test: features.Features
    # Only by semi-supervised protocols: examples that are in neither of the two above
    target_labelled: features.Features | None = None


def held_out(pair: Pair) -> runs.HeldOut:
    """What the evaluation reads."""
    parts = (pair.validation, pair.target, pair.target_test)
    return runs.HeldOut(*map(evaluation_data.batches, parts))


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
    """Fits the pipeline on a pair, without the source examples whose mask is 0."""
    source = samples(pair.source.x, pair.source.label, mask)
    labelled = pair.target_labelled
    if labelled is not None:
        labelled = samples(labelled.x, labelled.label)
    return pipeline.fit(key, source, samples(pair.target.x), labelled)


def predicts(pipeline: shallow.Pipeline):
    """(key, pair) -> {domain: predict}; a second fit serves source validation."""

    def fit_both(key, pair):
        fitted = fit(pipeline, key, pair)
        validated = (
            fitted if pair.in_fit.all() else fit(pipeline, key, pair, pair.in_fit)
        )
        return {
            'source': Partial(pipeline.predict_source, validated),
            'target': Partial(pipeline.predict, fitted),
        }

    return fit_both


def circular_validation(pipeline: shallow.Pipeline, key, pair: Pair) -> float:
    """selection.circular_validation of the pipeline on a pair; uses no target label."""

    def adapt(x, label, target):
        fitted = pipeline.fit(key, samples(x, label), samples(target))
        return np.asarray(_predict(pipeline.predict, fitted, samples(target).x))[
            : len(target)
        ]

    in_fit = pair.in_fit > 0
    return selection.circular_validation(
        adapt,
        pair.source.x[in_fit],
        pair.source.label[in_fit],
        pair.target.x,
        pair.validation.x,
        pair.validation.label,
    )


def _predict(predict, fitted, x):
    return _labels(Partial(predict), fitted, x)


@jax.jit
def _labels(predict, fitted, x):
    return predict(fitted, {'x': x})['logits'].argmax(-1)
