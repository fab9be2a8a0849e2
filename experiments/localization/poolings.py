"""The poolings of the tables: from score maps to the scores that enter the loss."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn

from transfer_jax import models, ops

# Of WILDCAT's published demo
SPATIAL = 0.2  # share of the positions that are pooled
ALPHA = 0.7  # weight of the lowest positions
MAPS = 8  # maps of each class; under Adam they learn as one, see models.ScoreMaps
REGIONS = 3  # of WELDON: number of highest and of lowest positions


class Pooling(NamedTuple):
    """Fields of models.ScoreMaps."""

    pool: Callable
    per_class: int = 1
    sharpness: float | None = None


# maps -> what each position adds to the score of its class; most add nothing
EVIDENCE = {
    'weldon': functools.partial(ops.evidence, highest=REGIONS, lowest=REGIONS),
    'wildcat': functools.partial(
        ops.evidence, highest=SPATIAL, lowest=SPATIAL, alpha=ALPHA
    ),
}
POOLINGS = {
    'average': Pooling(ops.global_average),
    'max': Pooling(ops.global_max),
    'lse': Pooling(functools.partial(ops.log_sum_exp, temperature=5.0)),
    'spleap': Pooling(ops.soft_pool, sharpness=1.0),
    'weldon': Pooling(functools.partial(ops.weldon, highest=REGIONS, lowest=REGIONS)),
    'wildcat': Pooling(
        functools.partial(ops.wildcat, highest=SPATIAL, lowest=SPATIAL, alpha=ALPHA),
        per_class=MAPS,
    ),
}


def head(name: str, classes: int) -> nn.Module:
    """A head of score maps with the pooling of this name."""
    return models.ScoreMaps(classes, **POOLINGS[name]._asdict())
