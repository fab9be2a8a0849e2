"""Two domains of features: what a closed-form method sees, and its evaluation."""

from typing import NamedTuple

import jax
import numpy as np
from jax.tree_util import Partial

from transfer_jax import data, shallow, watching
from transfer_jax.data import features
from transfer_jax.types import Samples

EVALUATION_BATCH = 100


class Pair(NamedTuple):
    """The features of one run."""

    source: features.Features  # what the method is fitted on
    kept: np.ndarray  # (n,), 0 where the fit that is validated leaves it out
    validation: features.Features
    target: features.Unlabelled
    target_test: features.Features


def held_out(pair: Pair) -> watching.HeldOut:
    """What the evaluation reads."""

    def read(source):
        return data.batches(source, min(EVALUATION_BATCH, len(source)))

    return watching.HeldOut(
        read(pair.validation), read(pair.target), read(pair.target_test)
    )


def closed_form(pipeline: shallow.Pipeline):
    """(key, pair) -> {domain: predict}."""
    fit = jax.jit(pipeline.fit)

    def fitted(key, pair):
        count = len(pair.target)
        target = Samples(
            pair.target.x, np.full(count, -1, np.int32), np.ones(count, np.float32)
        )

        def given(mask):
            return fit(key, Samples(pair.source.x, pair.source.label, mask), target)

        result = given(np.ones(len(pair.source), np.float32))
        validated = result if pair.kept.all() else given(pair.kept)
        return {
            'source': Partial(pipeline.predict_source, validated),
            'target': Partial(pipeline.predict, result),
        }

    return fitted
