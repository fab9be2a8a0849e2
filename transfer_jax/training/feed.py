"""Move NumPy batches to devices ahead of the step that needs them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Protocol

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec, Sharding

from transfer_jax.types import Batch, PyTree


class BatchStream(Protocol):
    """Batches by step: a pure function of (seed, t), see data.streams.

    Optional members: `read(start, stop)`, an iterator with `close` that prepares
    batches ahead; `sharding` of the batches over devices; and `process_shard(i, p)`,
    the stream of the rows of process i of p, which runs of several processes need.
    """

    def __getitem__(self, t: int) -> Batch:
        """The batch of step t."""


@contextmanager
def read(
    stream: BatchStream,
    start: int,
    stop: int,
    check: Callable[[Batch], Batch] = lambda batch: batch,
) -> Iterator[Iterator[Batch]]:
    """Batches start .. stop-1 on the device; closes the reader at the end.

    A stream with a `read` method prepares its batches in the background; any other is
    indexed step by step. The batches of a stream with a `sharding` are sharded. Each of
    them goes through `check` on the host, which may raise.
    """
    sharding = getattr(stream, 'sharding', None)
    reader = on_host(stream, start, stop)
    try:
        yield (to_devices(check(batch), sharding) for batch in reader)
    finally:
        reader.close()


def on_host(stream: BatchStream, start: int, stop: int) -> Iterator[Batch]:
    """Batches start .. stop-1, prepared ahead if possible; the caller closes it."""
    if hasattr(stream, 'read'):
        return stream.read(start, stop)
    return (stream[t] for t in range(start, stop))


def to_devices(batch: PyTree, sharding: Sharding | None) -> PyTree:
    """A batch on its devices; with several processes, each gives its own rows."""
    if sharding is None or jax.process_count() == 1:
        return jax.device_put(batch, sharding)
    return jax.tree.map(
        lambda rows: jax.make_array_from_process_local_data(sharding, rows), batch
    )


def after_first_axis(sharding: NamedSharding) -> NamedSharding:
    """The sharding of batches that are stacked along a new first axis."""
    return NamedSharding(sharding.mesh, PartitionSpec(None, *sharding.spec))


def replicated_like(sharding: NamedSharding) -> NamedSharding:
    """A copy on each device of a sharding."""
    return NamedSharding(sharding.mesh, PartitionSpec())


class Sharded:
    """A stream whose batches are sharded over devices.

    With several processes, `stream` has the rows of this process.
    """

    def __init__(self, stream: BatchStream, sharding: Sharding):
        self._stream = stream
        self.sharding = sharding

    def __getitem__(self, t: int) -> Batch:
        return self._stream[t]

    def read(self, start: int, stop: int) -> Iterator[Batch]:
        """Batches start .. stop-1 on the host."""
        return on_host(self._stream, start, stop)


class Stacked:
    """A stream whose batches stack those of several streams along a leading axis.

    Each stream has a separate reader.
    """

    def __init__(self, streams: Sequence[BatchStream]):
        self.streams = streams

    def __getitem__(self, t: int) -> Batch:
        return _stack([stream[t] for stream in self.streams])

    def read(self, start: int, stop: int) -> Iterator[Batch]:
        """Batches start .. stop-1 on the host."""
        with ExitStack() as stack:
            readers = [
                stack.enter_context(closing(on_host(stream, start, stop)))
                for stream in self.streams
            ]
            for batches in zip(*readers, strict=True):
                yield _stack(batches)


def _stack(batches):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *batches)
