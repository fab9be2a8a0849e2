"""The two halves of a stream whose data lies on a device: which rows, and what of them.

The host says which rows a step takes; the compiled step gathers and scales them on the
device. Nothing here imports JAX: the second half uses only operators that arrays of
NumPy and of JAX share.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from transfer_jax.data.reader import Reader

Table = Mapping[str, np.ndarray]  # {'image': (n, h, w, c) uint8, 'label': (n,) int32}
Rows = Mapping[str, np.ndarray]  # {name of a table: (b,) int32}
Constants = Any  # nested tuples and dictionaries of small arrays


class Resident(NamedTuple):
    """The batches of a stream, made on a device.

    The batch of step t is batch(tables, constants, rows(t), t). It is traced, with all
    its arguments on the device. Streams that do the same to other data have equal
    functions `batch`, and so share a compiled program.
    """

    tables: Mapping[str, Table]
    constants: Constants  # such as the mean of each channel
    rows: Callable[[int], Rows]
    batch: Callable[[Mapping[str, Table], Constants, Rows, Any], Mapping[str, Any]]

    def read(self, start: int, stop: int, prefetch: int = 256) -> Reader:
        """The rows of steps start..stop-1, which a thread prepares ahead."""
        return Reader(_Indexed(self.rows), start, stop, prefetch)


def gathered(table: Table, rows: Callable[[int], np.ndarray]) -> Resident:
    """Batches of the rows of one table.

    Args:
      rows: t -> (b,) row numbers.
    """
    return Resident(
        {'': table}, (), lambda step: {'': rows(step).astype(np.int32)}, _gather
    )


def zipped(parts: Mapping[str, Resident | str]) -> Resident | str:
    """Batches {name: batch of that part}; the reason if a part is not resident."""
    for part in parts.values():
        if isinstance(part, str):
            return part

    def joined(members):
        return {
            _path(name, inner): value
            for name, member in members.items()
            for inner, value in member.items()
        }

    batches = [(name, tuple(one.tables), one.batch) for name, one in parts.items()]
    return Resident(
        joined({name: part.tables for name, part in parts.items()}),
        {name: part.constants for name, part in parts.items()},
        lambda step: joined({name: part.rows(step) for name, part in parts.items()}),
        _Zipped(tuple(batches)),
    )


def mapped(part: Resident | str, function: Callable) -> Resident | str:
    """Batches function(batch), or the reason why not.

    A function needs a form for a device: its attribute `on_device`, a function of
    (constants, batch), with `constants`, a tree of arrays, beside it. data.normalise
    returns such a one.
    """
    if isinstance(part, str):
        return part
    if not hasattr(function, 'on_device'):
        return f'{name_of(function)} has no form for a device'
    return part._replace(
        constants=(part.constants, function.constants),
        batch=_Mapped(part.batch, function.on_device),
    )


class Place(NamedTuple):
    """Where the rows of a batch are in the stream."""

    batch: int  # positions a step, of all processes
    first: int  # of this process, within the batch
    last: int


def transformed(part: Resident, transform: Any, seed: int, place: Place) -> Resident:
    """Batches whose images a transform of data.device_transforms has changed.

    Args:
      seed: of the draws, uint32.
    """
    return part._replace(
        constants=(part.constants, transform.constants, np.uint32(seed)),
        batch=_Transformed(part.batch, transform.apply, place),
    )


def in_order(table: Table, size: int) -> Resident:
    """Batches of all n rows in order; the last is padded, and 'mask' (b,) says where.

    Args:
      size: of a batch.
    """
    count = len(next(iter(table.values())))

    def rows(index):
        return np.minimum(np.arange(index * size, (index + 1) * size), count - 1)

    part = gathered(table, rows)
    return part._replace(constants=np.int32(count), batch=_gather_with_mask)


def _gather_with_mask(tables, constants, rows, step):
    batch = _gather(tables, (), rows, step)
    size = rows[''].shape[0]
    real = step * size + np.arange(size, dtype=np.int32) < constants
    return {**batch, 'mask': real.astype(np.float32)}


def _gather(tables, constants, rows, step):
    del constants, step
    return {name: leaf[rows['']] for name, leaf in tables[''].items()}


@dataclasses.dataclass(frozen=True)
class _Zipped:
    parts: tuple[tuple[str, tuple[str, ...], Callable], ...]  # name, tables, batch

    def __call__(self, tables, constants, rows, step):
        return {
            name: batch(
                {inner: tables[_path(name, inner)] for inner in inside},
                constants[name],
                {inner: rows[_path(name, inner)] for inner in inside},
                step,
            )
            for name, inside, batch in self.parts
        }


@dataclasses.dataclass(frozen=True)
class _Mapped:
    batch: Callable
    function: Callable

    def __call__(self, tables, constants, rows, step):
        inner, own = constants
        return self.function(own, self.batch(tables, inner, rows, step))


@dataclasses.dataclass(frozen=True)
class _Transformed:
    batch: Callable
    apply: Callable
    place: Place

    def __call__(self, tables, constants, rows, step):
        from transfer_jax.data import device_transforms  # imports JAX

        inner, own, seed = constants
        batch = self.batch(tables, inner, rows, step)
        places = np.arange(self.place.first, self.place.last, dtype=np.uint32)
        position = step.astype(np.uint32) * np.uint32(self.place.batch) + places
        image = device_transforms.of_batch(
            self.apply, own, seed, batch['image'], position
        )
        return {**batch, 'image': image}


def _path(name: str, inner: str) -> str:
    """The name of a table of a part."""
    return f'{name}/{inner}' if inner else name


def name_of(function: Callable) -> str:
    """The name of a function for messages; of one within a function, that of the outer.

    data.transforms.flip(), which returns an inner function, is 'flip'.
    """
    named = getattr(function, 'func', function)  # of a functools.partial
    name = getattr(named, '__qualname__', type(named).__qualname__)
    return name.split('.<locals>')[0]


class _Indexed:
    """A function as something with an index."""

    def __init__(self, function: Callable[[int], Any]):
        self._function = function

    def __getitem__(self, index: int) -> Any:
        return self._function(index)
