"""The poolings of the tables: what stands between score maps and the loss."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import flax.linen as nn

from transfer_jax import models, ops

SPATIAL = 0.2  # share of the places that WILDCAT's published demo pools over
ALPHA = 0.7  # and its weight of the lowest
MAPS = 8  # and its maps of each class
REGIONS = 3  # of WELDON: the highest and lowest places


class Pooling(NamedTuple):
    """Fields of models.ScoreMaps."""

    pool: Callable
    per_class: int = 1
    sharpness: float | None = None


# maps -> what each place adds to the score of its class, where most add nothing
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
    """The head with a pooling of this name."""
    return models.ScoreMaps(classes, **POOLINGS[name]._asdict())


def check(names: Iterable[str], also: Sequence[str] = ()) -> None:
    """Raises ValueError for a name that is no pooling, nor one of `also`."""
    known = (*POOLINGS, *also)
    for name in names:
        if name not in known:
            raise ValueError(f'no pooling {name!r}; choose from {", ".join(known)}')
