"""Data sets that lie on the device, so that an evaluation of one is one dispatch."""

import dataclasses
import functools
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


def place(
    held_out: Any, how: str = 'auto', sharding: jax.sharding.Sharding | None = None
) -> Any:
    """What an evaluation reads, with its data sets on the device where possible.

    Args:
      held_out: a data set, such as that of data.batches, or tuples, lists and
        dictionaries of some. Anything else in it is left as it is.
      how: one of training.on_device.CHOICES. A set that has no form for the device
        stays on the host in any case.
      sharding: of the networks that predict, where these are on several devices.
    """
    if not on_device.wanted(how) or jax.process_count() > 1:
        return held_out
    if isinstance(held_out, dict):
        return {key: place(part, how, sharding) for key, part in held_out.items()}
    if isinstance(held_out, tuple) and hasattr(held_out, '_fields'):
        return type(held_out)(*(place(part, how, sharding) for part in held_out))
    if type(held_out) in (tuple, list):
        return type(held_out)(place(part, how, sharding) for part in held_out)
    resident = getattr(held_out, 'resident', '')
    if isinstance(resident, str) or not hasattr(held_out, '__len__'):
        return held_out
    if on_device.too_large(resident):
        return held_out
    return _placed(held_out, resident, sharding)


def _placed(batches: Sequence[Batch], resident: Any, sharding) -> Batches:
    batches[0]  # as of every batch of the host, images and labels are checked
    each = [resident.rows(index) for index in range(len(batches))]
    rows = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
    everything = resident.tables, resident.constants, rows
    *data, rows = jax.device_put(everything, sharding)
    items = len(jax.tree.leaves(resident.tables)[0])
    (size,) = jax.tree.leaves(rows)[0].shape[1:]
    return Batches(batches, tuple(data), rows, resident.batch, items, size)


def labels(batches: Iterable[Batch]) -> np.ndarray:
    """(n,) labels of a data set, without those of padding."""
    if isinstance(batches, Batches):
        found = _labels(batches.make, batches.data, batches.rows)
        return np.asarray(found)[: batches.items]
    parts = [
        np.asarray(batch['label'])[np.asarray(batch['mask']) > 0] for batch in batches
    ]
    return np.concatenate(parts)


@functools.partial(jax.jit, static_argnums=0)
def _labels(make, data, rows):
    return over_all(
        lambda carry, batch: (carry, batch['label']), None, make, data, rows
    )[1]


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
    own = jax.tree.leaves(batches.rows)[0]
    rows = jax.device_put(rows, own.sharding if own.committed else None)
    return dataclasses.replace(batches, rows=rows, make=make)


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
