"""The compiled steps of the loop: one in a dispatch, or several."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.training import feed, on_device
from transfer_jax.training.method import Method
from transfer_jax.training.state import TrainState
from transfer_jax.types import Array, Batch, Key, PyTree

MOST_BYTES = 256_000_000  # of the batches of a dispatch that come from the host


class Measured(NamedTuple):
    """The metrics of a dispatch, on the device."""

    values: Mapping[str, Array]  # {name: ()} of one step, or {name: (chunk, ...)}
    count: int | None  # how many of the chunk are steps; None for one step


class Program:
    """Trains a state on a stream, up to `chunk` steps in a dispatch.

    A chunk is one compiled program, whatever number of steps is asked of it, so a run
    that resumes between two chunks compiles nothing more.

    Attributes:
      chunk: as asked for, or less: batches from the host are at most MOST_BYTES at a
        time.
    """

    def __init__(self, method: Method, stream: feed.BatchStream, chunk: int):
        """Compiles at the first call.

        Raises:
          ValueError: chunk is not a whole number, 1 or more.
        """
        if not isinstance(chunk, int | np.integer) or chunk < 1:
            raise ValueError(f'chunk is {chunk}: give a whole number, 1 or more')
        self._stream, self.chunk = stream, int(chunk)
        self._resident = isinstance(stream, on_device.OnDevice)
        if self.chunk > 1 and not self._resident:
            batch = sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(stream[0]))
            self.chunk = max(1, min(self.chunk, MOST_BYTES // max(batch, 1)))
        self._single = self.chunk == 1 and not self._resident
        step, make = method.step, stream.resident.batch if self._resident else _given
        if not self._single:
            step = _steps(step, make, self.chunk)
        self._step = jax.jit(step, donate_argnums=0)

    @contextmanager
    def read(
        self, start: int, stop: int, check: Callable[[Batch], Batch]
    ) -> Iterator[Iterator[Any]]:
        """What steps start .. stop-1 take from the host, in order.

        Args:
          check: of every batch, or of all data if it lies on the device; may raise.
        """
        if self._single:
            with feed.read(self._stream, start, stop, check) as batches:
                yield batches
            return
        if self._resident:
            check(self._stream.resident.tables)
            reader = self._stream.resident.read(start, stop)
        else:
            reader = feed.on_host(self._stream, start, stop)
        try:
            yield reader if self._resident else map(check, reader)
        finally:
            reader.close()

    def __call__(
        self, state: TrainState, key: Key, inputs: Iterator[Any], start: int, stop: int
    ) -> tuple[TrainState, Measured]:
        """Takes steps start .. stop-1, at most `chunk` of them; `state` is used up."""
        if self._single:
            state, metrics = self._step(state, next(inputs), key)
            return state, Measured(metrics, None)
        taken = [next(inputs) for _ in range(start, stop)]
        taken += taken[-1:] * (self.chunk - len(taken))
        stack = jax.tree.map(lambda *leaves: np.stack(leaves), *taken)
        sharding = getattr(self._stream, 'sharding', None)
        stack = feed.to_devices(stack, sharding and feed.after_first_axis(sharding))
        data = self._stream.data if self._resident else ((), ())
        count = stop - start
        state, metrics = self._step(state, data, stack, np.int32(start), count, key)
        return state, Measured(metrics, count)

    def compiled(self) -> int:
        """How many programs were compiled."""
        return self._step._cache_size()


def fetch(measured: list[Measured]) -> dict[str, np.ndarray]:
    """{name: (k, ...)} of the k steps of some dispatches, in one transfer."""
    rows = jax.device_get([one.values for one in measured])
    parts = [
        {k: v[None] if one.count is None else v[: one.count] for k, v in row.items()}
        for one, row in zip(measured, rows, strict=True)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _given(tables: PyTree, constants: PyTree, inputs: Batch, step: Array) -> Batch:
    """The batch, where the host makes it."""
    del tables, constants, step
    return inputs


@functools.lru_cache(maxsize=64)
def _steps(step: Callable, make: Callable, chunk: int):
    """f(state, data, inputs, start, count, key): `count` steps, and their metrics.

    Cached, so that the seeds of a run share one compiled program.

    Args:
      step: of a method.
      make: (tables, constants, inputs of a step, its number) -> its batch.
    """

    def run(state, data, inputs, start, count, key):
        def one(i, state):
            taken = jax.tree.map(lambda leaf: leaf[i], inputs)
            return step(state, make(*data, taken, start + i), key)

        def body(i, carry):
            state, metrics = carry
            state, row = one(i, state)
            metrics = {k: metrics[k].at[i].set(value) for k, value in row.items()}
            return state, metrics

        shapes = jax.eval_shape(one, 0, state)[1]
        metrics = {
            k: jnp.zeros((chunk, *leaf.shape), leaf.dtype) for k, leaf in shapes.items()
        }
        return jax.lax.fori_loop(0, count, body, (state, metrics))

    return run
