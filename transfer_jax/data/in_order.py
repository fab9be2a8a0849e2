"""All items of a source in order, as batches for evaluation."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from transfer_jax.data import device, rows_of
from transfer_jax.data.items import Items
from transfer_jax.data.sources import Arrays, Images, Source
from transfer_jax.data.transforms import Transform

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


def batches(
    source: Source,
    batch_size: int,
    *,
    transform: Transform | None = None,
    threads: int = 1,
) -> Batches:
    """All items of `source` in order, for evaluation.

    Every batch has `batch_size` rows, so that one compiled function serves them all;
    the last batch is padded with the last item. 'mask' (b,) float32 is 0 on padding and
    1 elsewhere. 'label' is present if the source has labels.

    Args:
      transform: applied to each item; files need one that brings images to one size,
        transforms.evaluation. What it draws is the same each time.
      threads: how many read and transform items at a time.
    """
    size = len(source)
    if size == 0 or batch_size < 1:
        raise ValueError(f'cannot make batches of {batch_size} from {size} items')

    changed = Items(source, transform, 0, threads)
    one_by_one = transform is not None or threads > 1

    def batch(index: int) -> Batch:
        positions = np.arange(index * batch_size, (index + 1) * batch_size)
        rows = np.minimum(positions, size - 1)
        if one_by_one:  # the padding is the last item, with the same draws
            content = changed(rows.tolist(), rows.tolist())
        else:
            content = rows_of.gather(source, rows)
        return {**content, 'mask': (positions < size).astype(np.float32)}

    if one_by_one:
        resident = 'they are read and transformed one by one'
    elif isinstance(source, Arrays | Images):
        resident = device.in_order(rows_of.table(source), batch_size)
    else:
        resident = f'{type(source).__name__} are read as they are needed'
    return Batches(-(-size // batch_size), batch, resident)
