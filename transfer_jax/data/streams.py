"""Batches for training; `stream[t]` is the batch of step t.

A stream is a pure function of (seed, t) and has no state to save: a run that resumes at
step t reads `stream[t]`, and process i of p reads its rows of the same global batch.
Each epoch is a new permutation. A batch may span two epochs, so that no item is left
out.
"""

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from transfer_jax.data import device, orders, pixels, rows_of, sources
from transfer_jax.data.items import Items
from transfer_jax.data.reader import ProcessReader, Reader
from transfer_jax.data.sources import Arrays, Images, Source
from transfer_jax.data.transforms import Transform

Batch = Mapping[str, Any]
_BY_FUNCTION = 'its batches are made by a function'

normalise = pixels.normalise
channel_mean = pixels.channel_mean


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """An endless sequence of batches with random access, from a pure function of t."""

    batch: Callable[[int], Batch]
    # (process, processes) -> the stream of that process's rows of the same batches;
    # by default the rows are cut from the whole batch
    shard: Callable[[int, int], 'Stream'] | None = None
    # the same batches made on a device, or the reason why that cannot be
    resident: device.Resident | str = _BY_FUNCTION
    processes: int = 0  # that make batches ahead

    def __getitem__(self, step: int) -> Batch:
        if step < 0:
            raise IndexError(f'step {step}: a stream begins at step 0')
        return self.batch(int(step))

    def map(self, function: Callable[[Batch], Batch]) -> 'Stream':
        """The stream of `function(batch)`."""
        shard = self.shard and (lambda i, p: self.shard(i, p).map(function))
        resident = device.mapped(self.resident, function)
        return Stream(
            lambda step: function(self[step]), shard, resident, self.processes
        )

    def process_shard(self, process: int, processes: int) -> 'Stream':
        """The stream of one process's contiguous rows, an equal part of each batch.

        Raises:
          ValueError: a batch cannot be divided by the number of processes.
        """
        if self.shard is not None:
            return self.shard(process, processes)
        return Stream(
            lambda step: _cut(self[step], process, processes), processes=self.processes
        )

    def read(
        self, start: int, stop: int | None = None, prefetch: int = 2
    ) -> Reader | ProcessReader:
        """Iterates over batches start..stop-1, with up to `prefetch` prepared ahead.

        A thread prepares them, or the processes of the stream; `prefetch=0` uses
        neither. Close the reader, or use it in a `with` statement. With `stop=None` the
        iteration does not end.
        """
        if self.processes and prefetch:
            return ProcessReader(self.batch, start, stop, self.processes)
        return Reader(self, start, stop, prefetch)


def labelled(
    source: Source,
    *,
    batch_size: int,
    seed: int,
    transform: Transform | None = None,
    rows: tuple[int, int] | None = None,
    name: str = 'source',
    threads: int = 1,
    processes: int = 0,
    balanced: bool = False,
) -> Stream:
    """Batches {'image': (b, h, w, c) uint8, 'label': (b,) int32}, shuffled by `seed`.

    Args:
      transform: applied to each item, with a generator seeded with (seed, position in
        the stream), so that an image changes differently in each epoch. One of
        data.device_transforms also runs within a compiled step.
      rows: (i, p), only the contiguous rows of process i of p in the global batch of
        `batch_size`.
      name: for messages, and part of the seed: streams of different names draw
        independently.
      threads: how many read and transform items at a time; useful for files, whose
        decoding releases Python's lock.
      processes: how many processes make whole batches ahead, each with a copy of the
        source (grain's workers). For files, where threads do not suffice: they start in
        seconds. 0 makes them in a thread of this process.
      balanced: each batch has equally many items of each class, up to one. A class
        comes without replacement: all its items before one of them comes again. An
        epoch then is one of its class, so items of rare classes come more often.

    Raises:
      ValueError: a batch is larger than the source; the message gives both numbers. Or
        it is to be balanced, and the source has no array `label`; or processes are to
        read a source that is in memory.
    """
    size = len(source)
    if not 0 < batch_size <= size:
        raise ValueError(
            f'stream {name!r}: a batch of {batch_size} cannot be drawn from {size} '
            f'items; choose a batch size from 1 to {size}'
        )
    first, last = _rows(rows, batch_size, name)
    # Without the name, the digits of MNIST and their blended copies in MNIST-M would
    # be drawn in the same order, and every batch would hold aligned pairs.
    root = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    seeds = [int(value) for value in root.generate_state(2)]
    order = _order(source, seeds[0], balanced, name)
    in_memory = isinstance(source, Arrays | Images)
    if hasattr(transform, 'on_host') and not in_memory:
        raise ValueError(
            f'stream {name!r}: {transform.name} of data.device_transforms is for data '
            f'in memory; {type(source).__name__} takes those of data.transforms'
        )
    if processes and in_memory:
        raise ValueError(
            f'stream {name!r}: processes={processes} is for files; each would copy '
            'these images, which are in memory'
        )
    whole = None  # f(images, positions), of a transform for devices
    if hasattr(transform, 'on_host'):
        whole = transform.on_host(seeds[1])
    elif transform is not None:
        in_memory = False
    items = Items(source, transform, seeds[1], threads)

    def batch(step: int) -> Batch:
        positions = range(step * batch_size + first, step * batch_size + last)
        indices = order(positions.start, positions.stop)
        if not in_memory:
            return items(indices.tolist(), positions)
        made = rows_of.gather(source, indices)
        if whole is not None:
            place = np.asarray(positions) % 2**32
            made['image'] = whole(made['image'], place.astype(np.uint32))
        return made

    def shard(process: int, of: int) -> Stream:
        return labelled(
            source,
            batch_size=batch_size,
            seed=seed,
            transform=transform,
            rows=(process, of),
            name=name,
            threads=threads,
            processes=processes,
            balanced=balanced,
        )

    if in_memory:
        resident = device.gathered(
            rows_of.table(source),
            lambda step: order(step * batch_size + first, step * batch_size + last),
        )
        if whole is not None:
            place = device.Place(batch_size, first, last)
            resident = device.transformed(resident, transform, seeds[1], place)
    elif transform is not None:
        named = device.name_of(transform)
        resident = f'the transform {named} of stream {name!r} has no form for a device'
    else:
        resident = f'stream {name!r} reads {type(source).__name__} as they are needed'
    return Stream(batch, shard if rows is None else None, resident, processes)


def unlabelled(
    source: Source,
    *,
    batch_size: int,
    seed: int,
    transform: Transform | None = None,
    rows: tuple[int, int] | None = None,
    name: str = 'target',
    threads: int = 1,
    processes: int = 0,
) -> Stream:
    """Batches {'image': (b, h, w, c) uint8}, as `labelled` draws them.

    The labels are removed first: neither the stream nor `transform` can access them.
    """
    return labelled(
        sources.without_labels(source),
        batch_size=batch_size,
        seed=seed,
        transform=transform,
        rows=rows,
        name=name,
        threads=threads,
        processes=processes,
    )


def zipped(**streams: Stream) -> Stream:
    """Batches {name: batch of that stream}; the sources may differ in length.

    Raises:
      ValueError: processes read one of them, and another is in memory, which each would
        copy.
    """
    resident = {
        name: getattr(s, 'resident', _BY_FUNCTION) for name, s in streams.items()
    }
    processes = max((getattr(s, 'processes', 0) for s in streams.values()), default=0)
    in_memory = [name for name, of in resident.items() if not isinstance(of, str)]
    if processes and in_memory:
        raise ValueError(
            f'processes={processes} cannot read a stream beside {in_memory[0]!r}, '
            'whose images are in memory: use threads'
        )

    def shard(process: int, of: int) -> Stream:
        parts = {k: s.process_shard(process, of) for k, s in streams.items()}
        return zipped(**parts)

    return Stream(
        lambda step: {name: stream[step] for name, stream in streams.items()},
        shard,
        device.zipped(resident),
        processes,
    )


def _order(source: Source, seed: int, balanced: bool, name: str) -> orders.Order:
    if not balanced:
        return orders.shuffled(len(source), seed)
    label = getattr(source, 'label', None)
    if not isinstance(label, np.ndarray):
        raise ValueError(
            f'stream {name!r}: balanced=True needs a source with an array label, such '
            f'as data.Arrays; {type(source).__name__} has none'
        )
    return orders.balanced(label, seed)


def _rows(rows: tuple[int, int] | None, batch_size: int, name: str) -> tuple[int, int]:
    """First and last row of this process within the global batch."""
    process, processes = (0, 1) if rows is None else rows
    if not 0 <= process < processes:
        raise ValueError(f'stream {name!r}: rows={rows}: no such process')
    if batch_size % processes:
        raise ValueError(
            f'stream {name!r}: a batch of {batch_size} cannot be shared evenly by '
            f'{processes} processes'
        )
    share = batch_size // processes
    return process * share, (process + 1) * share


def _cut(batch: Any, process: int, processes: int) -> Any:
    """The rows of a process, from every array of a batch."""
    if isinstance(batch, Mapping):
        return {key: _cut(part, process, processes) for key, part in batch.items()}
    first, last = _rows((process, processes), len(batch), 'batch')
    return batch[first:last]
