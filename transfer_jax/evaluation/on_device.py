"""Data sets that lie on the device, so that an evaluation of one is one dispatch."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.training import on_device
from transfer_jax.types import Array, Batch, PyTree


@dataclasses.dataclass(frozen=True, eq=False)
class Batches:
    """All items of a data set in order, as batches that a compiled program makes.

    As a sequence it has the same batches, made on the host.
    """

    on_host: Sequence[Batch]
    data: PyTree  # tables and constants, see data.device
    rows: PyTree  # the rows of all batches, with a leading axis of the batches
    make: Callable[..., Batch]  # (tables, constants, rows of a batch, its number)
    items: int  # without the padding of the last batch
    size: int  # of a batch, with it

    def __len__(self) -> int:
        return len(self.on_host)

    def __getitem__(self, index: int) -> Batch:
        return self.on_host[index]


def place(held_out: Any, how: str = 'auto') -> Any:
    """What an evaluation reads, with its data sets on the device where possible.

    Args:
      held_out: a tree of data sets, such as those of data.batches. Anything else in it
        is left as it is.
      how: one of training.on_device.CHOICES. A set that has no form for the device
        stays on the host in any case.
    """
    if not on_device.wanted(how) or jax.process_count() > 1:
        return held_out

    def placed(part):
        resident = getattr(part, 'resident', '')
        if isinstance(resident, str) or on_device.too_large(resident):
            return part
        rows = [resident.rows(index) for index in range(len(part))]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
        data = jax.device_put((resident.tables, resident.constants))
        items = len(jax.tree.leaves(resident.tables)[0])
        (size,) = jax.tree.leaves(stacked)[0].shape[1:]
        return Batches(part, data, jax.device_put(stacked), resident.batch, items, size)

    return jax.tree.map(
        placed, held_out, is_leaf=lambda part: hasattr(part, 'resident')
    )


def labels(batches: Iterable[Batch]) -> np.ndarray:
    """(n,) labels of a data set, without those of padding."""
    if isinstance(batches, Batches):
        tables, _ = batches.data
        (label,) = [table['label'] for table in tables.values()]
        return np.asarray(label)
    parts = [
        np.asarray(batch['label'])[np.asarray(batch['mask']) > 0] for batch in batches
    ]
    return np.concatenate(parts)


def mixed(batches: Batches, partner: np.ndarray, weight: float) -> Batches:
    """Each item mixed with another one: weight x + (1 - weight) x[partner].

    Every entry except 'label' and 'mask' is mixed, after it was scaled.

    Args:
      partner: (n,) numbers of items.
    """
    items = np.minimum(np.arange(len(batches) * batches.size), batches.items - 1)
    partner = np.asarray(partner, np.int32)[items]
    rows = {
        'own': batches.rows,
        'partner': {
            name: partner.reshape(np.shape(own)) for name, own in batches.rows.items()
        },
    }
    make = _Mixed(batches.make, weight)
    return dataclasses.replace(batches, rows=jax.device_put(rows), make=make)


def over_all(
    act: Callable[[Any, Batch], tuple[Any, PyTree]],
    carry: Any,
    make: Callable[..., Batch],
    data: PyTree,
    rows: PyTree,
) -> tuple[Any, PyTree]:
    """jax.lax.scan of act(carry, batch) -> (carry, outputs) over all batches; traced.

    Returns:
      The last carry, and the outputs of all items, padding included.
    """

    def body(carry, numbered):
        number, row = numbered
        return act(carry, make(*data, row, number))

    count = jax.tree.leaves(rows)[0].shape[0]
    carry, outputs = jax.lax.scan(body, carry, (jnp.arange(count), rows))
    return carry, jax.tree.map(_joined, outputs)


def _joined(leaf: Array) -> Array:
    """(batches, b, ...) as (batches * b, ...)."""
    return leaf.reshape(-1, *leaf.shape[2:])


@dataclasses.dataclass(frozen=True)
class _Mixed:
    make: Callable[..., Batch]
    weight: float

    def __call__(self, tables, constants, rows, number):
        batch = self.make(tables, constants, rows['own'], number)
        other = self.make(tables, constants, rows['partner'], number)
        return {
            name: value
            if name in ('label', 'mask')
            else self.weight * value + (1 - self.weight) * other[name]
            for name, value in batch.items()
        }
