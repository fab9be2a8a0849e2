"""The types that every package uses: arrays, keys, trees, batches, samples."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

Array = jax.Array
Key = jax.Array  # a typed PRNG key: jax.random.key(seed)
PyTree = Any
Batch = Mapping[str, Any]  # {'source': {'image', 'label'}, 'target': {'image'}}
Metrics = dict[str, Array]


class Samples(NamedTuple):
    """Examples of one domain, the input of shallow methods."""

    x: Array  # (n, d)
    label: Array  # (n,), -1 where unlabelled
    mask: Array  # (n,), 0 where padding
