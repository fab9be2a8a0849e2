"""Prefetching of a stream in a background thread, or in processes."""

import queue
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any


class Reader:
    """Iterates over items start..stop-1 of a stream, which a thread prepares ahead.

    At most `prefetch` items wait at a time. The reader raises an exception of the
    stream when its item is due. `close`, leaving a `with` block and garbage collection
    of the reader all end the thread.
    """

    def __init__(self, stream: Any, start: int, stop: int | None, prefetch: int):
        if start < 0 or prefetch < 0:
            raise ValueError(f'start ({start}) and prefetch ({prefetch}) must be >= 0')
        self._thread = None
        steps = _steps(start, stop)
        if prefetch == 0:
            self._items = (stream[step] for step in steps)
            self._stop = lambda: None
            return
        ready, free = queue.SimpleQueue(), threading.Semaphore(prefetch)
        closed = threading.Event()
        # The thread must not refer to the reader, or the reader would never be freed.
        self._thread = threading.Thread(
            target=_fill,
            args=(stream, steps, ready, free, closed),
            name='stream-reader',
            daemon=True,
        )
        self._items = _drain(ready, free)
        self._stop = weakref.finalize(self, _stop, closed, free)
        self._thread.start()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._items)

    def __enter__(self) -> 'Reader':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Ends the thread after its current item; the iteration is then over."""
        self._stop()
        if self._thread is not None:
            self._thread.join()
        self._items = iter(())


class ProcessReader:
    """As Reader, but processes prepare the items, in turns and in order.

    Each has a copy of the function and of all that it refers to.
    """

    def __init__(
        self,
        function: Callable[[int], Any],
        start: int,
        stop: int | None,
        processes: int,
    ):
        """Starts the processes.

        Args:
          function: step -> item; it must refer to nothing that cannot be copied.
        """
        import grain  # heavy: only where it is used
        from absl import flags

        if start < 0 or processes < 1:
            raise ValueError(f'start ({start}) must be >= 0, processes ({processes}) 1')
        if not flags.FLAGS.is_parsed():  # grain reads some; they are not this program's
            flags.FLAGS.mark_as_parsed()
        steps = grain.MapDataset.range(start, sys.maxsize if stop is None else stop)
        items = steps.map(function).to_iter_dataset(
            grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
        )
        options = grain.MultiprocessingOptions(processes, per_worker_buffer_size=1)
        self._items = iter(items.mp_prefetch(options))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._items)

    def __enter__(self) -> 'ProcessReader':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes; the iteration is then over."""
        if hasattr(self._items, 'close'):
            self._items.close()
        self._items = iter(())


def _steps(start: int, stop: int | None) -> Iterator[int]:
    while stop is None or start < stop:
        yield start
        start += 1


def _fill(stream, steps, ready, free, closed) -> None:
    try:
        for step in steps:
            free.acquire()
            if closed.is_set():
                return
            ready.put((stream[step], None))
        ready.put((None, StopIteration()))
    except BaseException as error:  # raised again where the item is read
        ready.put((None, error))


def _drain(ready, free) -> Iterator[Any]:
    while True:
        item, error = ready.get()
        if isinstance(error, StopIteration):
            return
        if error is not None:
            raise error
        free.release()
        yield item


def _stop(closed, free) -> None:
    closed.set()
    free.release()
