"""NumPy batches to devices, ahead of the step that needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import jax

from transfer_jax.types import Batch


class Stream(Protocol):
    """Batches by step: a pure function of (seed, t), see data.streams."""

    def __getitem__(self, t: int) -> Batch:
        """The batch of step t."""


@contextmanager
def read(stream: Stream, start: int, stop: int) -> Iterator[Iterator[Batch]]:
    """Batches start .. stop-1 on the device; the reader is closed on the way out.

    A stream with a `read` method prepares its batches in the background; any other is
    indexed in turn. A stream with a `sharding` has its batches spread over devices.
    """
    sharding = getattr(stream, 'sharding', None)
    if hasattr(stream, 'read'):
        reader = stream.read(start, stop)
    else:
        reader = (stream[t] for t in range(start, stop))
    try:
        yield (_place(batch, sharding) for batch in reader)
    finally:
        reader.close()


def _place(batch, sharding):
    """The batch on its devices; of several processes, each gives its own rows."""
    if sharding is None or jax.process_count() == 1:
        return jax.device_put(batch, sharding)
    return jax.tree.map(
        lambda rows: jax.make_array_from_process_local_data(sharding, rows), batch
    )


class Sharded:
    """A stream whose batches are spread over devices by `sharding`.

    Of several processes, it is that of the rows of this one.
    """

    def __init__(self, stream: Stream, sharding: jax.sharding.Sharding):
        self._stream = stream
        self.sharding = sharding

    def __getitem__(self, t: int) -> Batch:
        return self._stream[t]

    def read(self, start: int, stop: int) -> Iterator[Batch]:
        """Batches start .. stop-1 on the host."""
        if hasattr(self._stream, 'read'):
            return self._stream.read(start, stop)
        return (self._stream[t] for t in range(start, stop))
