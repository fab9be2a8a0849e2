"""Items of a source that are read and transformed one by one."""

from collections.abc import Callable
from concurrent import futures
from typing import Any

import numpy as np

from transfer_jax.data import rows_of
from transfer_jax.data.sources import Source
from transfer_jax.data.transforms import Transform


class Items:
    """Items of a source that are read and changed one by one.

    Copies for other processes leave out threads and generators, and make their own.
    """

    def __init__(
        self, source: Source, transform: Transform | None, seed: int, threads: int
    ):
        self._given = source, transform, seed, threads
        self._made = None

    def __getstate__(self):
        return self._given

    def __setstate__(self, given):
        self.__init__(*given)

    def __call__(self, indices: list[int], positions: range) -> dict[str, np.ndarray]:
        source, transform, seed, threads = self._given
        if self._made is None:
            each = futures.ThreadPoolExecutor(threads).map if threads > 1 else map
            apply = _unchanged if transform is None else _seeded(transform, seed)
            self._made = each, apply
        each, apply = self._made
        items = each(lambda i, position: apply(source[i], position), indices, positions)
        return rows_of.stack(list(items))


def _unchanged(item: dict[str, Any], position: int) -> dict[str, Any]:
    del position
    return item


def _seeded(transform: Transform, seed: int) -> Callable[[dict, int], dict]:
    """f(item, position) calls `transform` with the generator of (seed, position)."""
    from grain import experimental  # heavy: only where it is used

    pool = experimental.RngPool(seed)  # takes a third of the time of new generators

    def apply(item: dict[str, Any], position: int) -> dict[str, Any]:
        rng = pool.acquire_rng(position)
        try:
            return transform(item, rng)
        finally:
            pool.release_rng(rng)

    return apply
