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


class Regions(NamedTuple):
    """The positions that weldon and wildcat pool.

    Attributes:
      k: number of highest and of lowest positions, below 1 a share of all; 0 is REGIONS
        for weldon and SPATIAL for wildcat.
      alpha: weight of the lowest positions, of wildcat.
      maps: maps of each class, of wildcat.
    """

    k: float = 0.0
    alpha: float = ALPHA
    maps: int = MAPS


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
DEFAULT = Regions()
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


@functools.cache  # equal heads share a compiled step
def head(name: str, classes: int, regions: Regions = DEFAULT) -> nn.Module:
    """A head of score maps with the pooling of this name.

    Raises:
      ValueError: k is negative, or a number above 1 that is not whole.
    """
    pooling = POOLINGS[name]
    if regions != DEFAULT and name in EVIDENCE:
        options = _options(name, regions)
        pool = ops.wildcat if name == 'wildcat' else ops.weldon
        maps = regions.maps if name == 'wildcat' else 1
        pooling = Pooling(functools.partial(pool, **options), per_class=maps)
    return models.ScoreMaps(classes, **pooling._asdict())


def _options(name, regions):
    """Arguments of ops.weldon or ops.wildcat."""
    k = regions.k or (SPATIAL if name == 'wildcat' else REGIONS)
    if k < 0 or (k >= 1 and k != int(k)):
        raise ValueError(f'k {k}: a whole number of positions, or a share below 1')
    k = int(k) if k >= 1 else k
    alpha = {'alpha': regions.alpha} if name == 'wildcat' else {}
    return {'highest': k, 'lowest': k, **alpha}
