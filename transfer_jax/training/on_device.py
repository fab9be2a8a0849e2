"""Training data that lies on the devices; a compiled step gathers its batch there."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from transfer_jax.training import feed, log
from transfer_jax.types import Batch

CHOICES = ('auto', 'always', 'never')
SHARE = 0.5  # of a device's memory, which the data may take at most


class OnDevice:
    """A stream whose tables lie on every device, and whose batches are made there.

    A step takes the numbers of its rows from the host, and nothing else. `place` makes
    one.
    """

    def __init__(
        self,
        stream: feed.BatchStream,
        resident: Any,
        sharding: jax.sharding.NamedSharding | None = None,
    ):
        """Moves the tables to the devices.

        Args:
          resident: the second form of the stream, see data.device.
          sharding: of batches over several devices; each of them gets all tables.
        """
        self._stream, self.resident = stream, resident
        self.sharding = sharding
        data = resident.tables, resident.constants
        self.data = jax.device_put(data, sharding and feed.replicated_like(sharding))

    def __getitem__(self, t: int) -> Batch:
        return self._stream[t]


def place(
    stream: feed.BatchStream,
    how: str = 'auto',
    sharding: jax.sharding.NamedSharding | None = None,
) -> feed.BatchStream:
    """The stream with its data on the device, or the stream itself.

    Args:
      how: one of CHOICES. 'auto' moves the data on an accelerator whose memory has
        room; on a CPU there is nothing to gain.
      sharding: see OnDevice.

    Raises:
      ValueError: `how` is another word, or 'always' and that cannot be.
    """
    if not wanted(how):
        return stream
    resident = _resident(stream)
    obstacle = resident if isinstance(resident, str) else too_large(resident)
    if not obstacle:
        stream[0]  # as of every batch of the host, images and labels are checked
        return OnDevice(stream, resident, sharding)
    if how == 'always':
        raise ValueError(f'the data cannot lie on the device: {obstacle}')
    if not isinstance(resident, str):
        log.console.print(f'data stays on the host: {obstacle}', soft_wrap=True)
    return stream


def wanted(how: str) -> bool:
    """Whether data should lie on the device if it can, for one of CHOICES.

    Raises:
      ValueError: `how` is another word.
    """
    if how not in CHOICES:
        raise ValueError(
            f'data cannot be on the device {how!r}; choose from {", ".join(CHOICES)}'
        )
    return how == 'always' or (how == 'auto' and jax.default_backend() != 'cpu')


def _resident(stream: feed.BatchStream) -> Any:
    """The second form of a stream, or the reason why it has none."""
    if jax.process_count() > 1:
        return 'each of several processes reads its own rows'
    if isinstance(stream, feed.Stacked):
        return _stacked([_resident(one) for one in stream.streams])
    return getattr(stream, 'resident', 'its stream is not one of transfer_jax.data')


def _stacked(parts: Sequence[Any]) -> Any:
    """The second form of r streams of one form, whose batches are stacked.

    Rows and constants have a new first axis of r. A table that several streams share is
    kept once. Others are joined, and the rows of a stream count from where its own
    table begins.
    """
    for part in parts:
        if isinstance(part, str):
            return part
    if any(_form(part) != _form(parts[0]) for part in parts):
        return 'the runs differ in their transforms, or in the shapes of their data'
    tables, begins = {}, [dict.fromkeys(part.tables, 0) for part in parts]
    for name in parts[0].tables:
        first_rows, joined = _join([part.tables[name] for part in parts])
        tables[name] = joined
        for begin, first in zip(begins, first_rows, strict=True):
            begin[name] = np.int32(first)

    def rows(step):
        each = [part.rows(step) for part in parts]
        shifted = [
            {name: own[name] + begin[name] for name in own}
            for own, begin in zip(each, begins, strict=True)
        ]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *shifted)

    each, tree = zip(*[jax.tree.flatten(part.constants) for part in parts], strict=True)
    shared = tuple(
        all(np.array_equal(leaf, leaves[0]) for leaf in leaves)
        for leaves in zip(*each, strict=True)
    )
    constants = [
        leaves[0] if one else np.stack(leaves)
        for one, leaves in zip(shared, zip(*each, strict=True), strict=True)
    ]
    return parts[0]._replace(
        tables=tables,
        constants=jax.tree.unflatten(tree[0], constants),
        rows=rows,
        batch=_Vmapped(parts[0].batch, shared),
    )


def _form(part: Any) -> tuple:
    """What must be the same of streams whose batches are stacked."""
    described = jax.tree.map(
        lambda leaf: (np.shape(leaf)[1:], np.dtype(leaf.dtype).name), part.tables
    )
    constants = [np.shape(leaf) for leaf in jax.tree.leaves(part.constants)]
    return part.batch, described, jax.tree.structure(part.constants), constants


@dataclasses.dataclass(frozen=True)
class _Vmapped:
    """The batches of all runs; equal for equal fields, as jax.vmap's result is not."""

    batch: Callable
    shared: tuple[bool, ...]  # for each constant, whether all runs have the same

    def __call__(self, tables, constants, rows, step):
        tree = jax.tree.structure(constants)
        axes = tree.unflatten([None if one else 0 for one in self.shared])
        make = jax.vmap(self.batch, in_axes=(None, axes, 0, None))
        return make(tables, constants, rows, step)


def _join(
    tables: Sequence[Mapping[str, np.ndarray]],
) -> tuple[list[int], Mapping[str, np.ndarray]]:
    """(the first row of each table in a joint one, that table)."""
    kept: list[Mapping[str, np.ndarray]] = []
    begins, ends = [], [0]
    for table in tables:
        number = next((i for i, one in enumerate(kept) if _same(one, table)), None)
        if number is None:
            number = len(kept)
            kept.append(table)
            ends.append(ends[-1] + len(next(iter(table.values()))))
        begins.append(ends[number])
    if len(kept) == 1:
        return begins, kept[0]
    return begins, {k: np.concatenate([table[k] for table in kept]) for k in kept[0]}


def _same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    """Whether two tables are equal; the first rows show most differences at once."""
    return all(
        a is b
        or (a.shape == b.shape and np.array_equal(a[:8], b[:8]) and (a == b).all())
        for a, b in zip(one.values(), other.values(), strict=True)
    )


def too_large(resident: Any) -> str:
    """Both sizes, if the data does not fit on a device; else empty."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if 'bytes_limit' not in stats:
        return ''
    leaves = jax.tree.leaves((resident.tables, resident.constants))
    needed = sum(leaf.nbytes for leaf in leaves)
    room = int(SHARE * stats['bytes_limit']) - stats.get('bytes_in_use', 0)
    if needed <= room:
        return ''
    return f'it takes {needed / 1e9:.1f} GB, and there is room for {room / 1e9:.1f} GB'
