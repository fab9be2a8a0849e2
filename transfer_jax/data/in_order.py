"""All items of a source in order, as batches for evaluation."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from transfer_jax.data import device, items, rows_of
from transfer_jax.data.sources import Arrays, Images, Source

Batch = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Batches:
    """A finite sequence of batches, each made on access."""

    size: int
    batch: Callable[[int], Batch]
    # as that of a Stream
    resident: device.Resident | str = 'its batches are made by a function'

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Batch:
        if not 0 <= index < self.size:
            raise IndexError(f'batch {index} of {self.size}')
        return self.batch(index)

    def map(self, function: Callable[[Batch], Batch]) -> 'Batches':
        """The batches `function(batch)`."""
        resident = device.mapped(self.resident, function)
        return Batches(self.size, lambda index: function(self[index]), resident)


def batches(source: Source, batch_size: int, threads: int = 1) -> Batches:
    """All items of `source` in order, for evaluation.

    Every batch has `batch_size` rows, so that one compiled function serves them all;
    the last batch is padded with the last item. 'mask' (b,) float32 is 0 on padding and
    1 elsewhere. 'label' is present if the source has labels.

    Args:
      threads: how many read items at a time; useful for files.
    """
    size = len(source)
    if size == 0 or batch_size < 1:
        raise ValueError(f'cannot make batches of {batch_size} from {size} items')

    in_memory = isinstance(source, Arrays | Images)
    read = items.Items(source, None, 0, threads)

    def batch(index: int) -> Batch:
        positions = np.arange(index * batch_size, (index + 1) * batch_size)
        rows = np.minimum(positions, size - 1)
        if in_memory:
            content = rows_of.gather(source, rows)
        else:  # the padding is not read again
            content = read(np.unique(rows).tolist(), range(batch_size))
            content = {name: _padded(of, batch_size) for name, of in content.items()}
        return {**content, 'mask': (positions < size).astype(np.float32)}

    if in_memory:
        resident = device.in_order(rows_of.table(source), batch_size)
    else:
        resident = f'{type(source).__name__} are read as they are needed'
    return Batches(-(-size // batch_size), batch, resident)


def _padded(rows: np.ndarray, size: int) -> np.ndarray:
    """`size` rows: the last one again and again after the others."""
    return rows[np.minimum(np.arange(size), len(rows) - 1)]
