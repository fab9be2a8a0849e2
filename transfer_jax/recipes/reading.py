"""All items of a source in order, read ahead of the network that sees them."""

import os
import time
from collections.abc import Callable, Iterator

from transfer_jax import data
from transfer_jax.data import reader
from transfer_jax.training import log
from transfer_jax.types import Batch

# A few more than there are processors: some wait for the disk.
THREADS = min(16, (os.cpu_count() or 1) + 4)
AHEAD = 2  # batches
LINE_EVERY = 30.0  # seconds between lines of progress


def in_order(
    source: data.Source,
    batch_size: int,
    scale: Callable[[Batch], Batch] | None = None,
    *,
    title: str = '',
    processes: int = 0,
) -> data.Batches | Iterator[Batch]:
    """The batches of data.batches, scaled as the network expects.

    Images in memory are cut into batches. All others, such as data.lazy.ImageFiles, are
    read by several threads while the network computes; a bar and a line every half
    minute say how many images a second pass.

    Args:
      title: of the progress.
      processes: read whole batches in so many processes, each with a copy of the
        source, where threads do not suffice.
    """
    batch_size = min(batch_size, len(source))
    if isinstance(source, data.Arrays | data.Images):
        batches = data.batches(source, batch_size)
        return batches if scale is None else batches.map(scale)
    threads = 1 if processes else THREADS
    batches = data.batches(source, batch_size, threads=threads)
    return _ahead(batches, batch_size, len(source), scale, title, processes)


def _ahead(batches, batch_size, items, scale, title, processes) -> Iterator[Batch]:
    if processes:
        read = reader.ProcessReader(batches.batch, 0, len(batches), processes)
    else:
        read = reader.Reader(batches, 0, len(batches), AHEAD)
    progress = log.Progress(title or 'images', items)
    began = last_line = time.monotonic()
    try:
        with read:
            for number, batch in enumerate(read, 1):
                yield batch if scale is None else scale(batch)
                done, now = min(number * batch_size, items), time.monotonic()
                rate = {'images per second': done / (now - began)}
                progress.update(done, rate)
                if now - last_line > LINE_EVERY:
                    progress.line(done, rate, 'image')
                    last_line = now
    finally:
        progress.close()
