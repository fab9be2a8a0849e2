"""NumPy batches to devices, ahead of the step that needs them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Protocol

import jax
import numpy as np

from transfer_jax.types import Batch


class Stream(Protocol):
    """Batches by step: a pure function of (seed, t), see data.streams.

    It may have more: `read(start, stop)`, an iterator with `close` that prepares
    batches ahead; `sharding`, how they are spread over devices; `of_process(i, p)`, the
    stream of the rows of process i of p, without which several processes refuse it.
    """

    def __getitem__(self, t: int) -> Batch:
        """The batch of step t."""


@contextmanager
def read(stream: Stream, start: int, stop: int) -> Iterator[Iterator[Batch]]:
    """Batches start .. stop-1 on the device; the reader is closed on the way out.

    A stream with a `read` method prepares its batches in the background; any other is
    indexed in turn. A stream with a `sharding` has its batches spread over devices.
    """
    sharding = getattr(stream, 'sharding', None)
    reader = _on_host(stream, start, stop)
    try:
        yield (_place(batch, sharding) for batch in reader)
    finally:
        reader.close()


def _on_host(stream, start, stop):
    """Its batches, prepared ahead where it can; to be closed."""
    if hasattr(stream, 'read'):
        return stream.read(start, stop)
    return (stream[t] for t in range(start, stop))


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
        return _on_host(self._stream, start, stop)


class Stacked:
    """A stream whose batches are those of several streams, with a leading axis.

    Each is prepared by a reader of its own.
    """

    def __init__(self, streams: Sequence[Stream]):
        self._streams = streams

    def __getitem__(self, t: int) -> Batch:
        return _stack([stream[t] for stream in self._streams])

    def read(self, start: int, stop: int) -> Iterator[Batch]:
        """Batches start .. stop-1 on the host."""
        with ExitStack() as stack:
            readers = [
                stack.enter_context(closing(_on_host(stream, start, stop)))
                for stream in self._streams
            ]
            for batches in zip(*readers, strict=True):
                yield _stack(batches)


def _stack(batches):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *batches)
