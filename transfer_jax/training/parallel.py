"""Many runs, many steps or many devices in one program; chosen here by backend."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from transfer_jax.ops import collective
from transfer_jax.training import feed
from transfer_jax.training.method import Method
from transfer_jax.training.state import TrainState
from transfer_jax.types import Array, PyTree

HOW = ('vmap', 'unroll', 'scan')  # runs side by side
RUNS = 'runs'  # the axis of a mesh over which they are spread


def of_values(
    make: Callable[..., Method],
) -> Callable[[Mapping[str, Any]], Method]:
    """values -> a method; those of all values are one compiled program.

    `make(**values)` is called inside the trace with scalars that are leaves of the
    state (`state.values`), not constants: the steps of two methods are one function, so
    that runs that differ in a learning rate or a weight compile once. Never branch on
    such a value in Python.
    """

    def step(state, batch, key):
        new, metrics = make(**state.values).step(state, batch, key)
        return new.replace(values=state.values), metrics

    def predict(state, batch):
        return make(**state.values).predict(state, batch)

    def of(values):
        values = {name: jnp.float32(value) for name, value in values.items()}

        def init(key, batch):
            return make(**values).init(key, batch).replace(values=values)

        return Method(init, step, predict)

    return of


def over_runs(
    make: Callable[..., Method],
    values: Mapping[str, Any] | None = None,
    *,
    how: str | None = None,
    devices: int = 1,
) -> Method:
    """One method that trains r runs side by side.

    Each leaf of state, batch, key and metrics has a leading axis r. `make(**values)` is
    called inside the trace with the r-th of each value, so any scalar hyper-parameter
    may differ; with no values (several seeds) it is called with none.

    Args:
      values: {name: (r,)}.
      how: one of HOW: 'vmap', 'unroll' (one after another in one program), or 'scan'
        (the same as a loop, which compiles one run). By default vmap on accelerators;
        unroll on CPU, where XLA's own convolution (`direct`) is 4 to 15 times slower
        with vmapped kernels, and its gradient more in a loop. Networks without it are
        a tenth faster by scan.
      devices: over how many the runs are spread, an equal number on each; what is given
        to the method must lie there (`by_runs`).

    Raises:
      ValueError: no such way.
    """
    values = {name: jnp.asarray(value) for name, value in (values or {}).items()}
    how = how or ('unroll' if jax.default_backend() == 'cpu' else 'vmap')
    if how not in HOW:
        raise ValueError(f'no way {how!r} for runs; choose from {", ".join(HOW)}')

    def each(pick):
        def one(value, arguments):
            return pick(make(**value))(*arguments)

        def many(values, arguments):
            if how == 'vmap':
                return jax.vmap(one)(values, arguments)
            if how == 'scan':
                return jax.lax.map(lambda both: one(*both), (values, arguments))
            runs = jax.tree.leaves((values, arguments))[0].shape[0]
            parts = [
                one(*jax.tree.map(lambda leaf, r=r: leaf[r], (values, arguments)))
                for r in range(runs)
            ]
            return jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)

        if devices > 1:
            place = by_runs(devices)
            # Nothing is shared between devices, so there is nothing to check.
            many = jax.shard_map(
                many,
                mesh=place.mesh,
                in_specs=place.spec,
                out_specs=place.spec,
                check_vma=False,
            )
        return lambda *arguments: many(values, arguments)

    return Method(
        init=each(lambda method: method.init),
        step=each(lambda method: method.step),
        predict=each(lambda method: method.predict),
    )


def several_steps(method: Method, k: int) -> Method:
    """A method whose step is k steps of `method` in one dispatch.

    Its batch has a leading axis k; its metrics are those of the last of the k steps.
    For accelerators: on CPU it gains a tenth at best, and the gradient of XLA's own
    convolution (`direct`) is far slower inside a loop.
    """

    def step(state, batches, key):
        def body(state, batch):
            return method.step(state, batch, key)

        state, metrics = jax.lax.scan(body, state, batches, length=k)
        return state, jax.tree.map(lambda leaf: leaf[-1], metrics)

    return method._replace(step=step)


def pmapped(method: Method) -> Method:
    """A method whose step runs under pmap over all local devices, axis 'data'.

    The state stays one replica from the outside; the batch is split by rows.

    Raises:
      ValueError: a batch does not divide by the number of devices.
    """
    devices = jax.local_device_count()
    mapped = jax.pmap(
        method.step, collective.AXIS, in_axes=(None, 0, None), out_axes=None
    )

    def split(leaf: Array) -> Array:
        _check_divides(leaf.shape[0], devices)
        return leaf.reshape(devices, leaf.shape[0] // devices, *leaf.shape[1:])

    def step(state, batch, key):
        return mapped(state, jax.tree.map(split, batch), key)

    return method._replace(step=step)


def spread(state: TrainState, stream: feed.Stream) -> tuple[TrainState, feed.Stream]:
    """Both over all devices: the state on each, the rows of a batch between them.

    With one device, both as they are. Of several processes, each reads its rows of the
    same batches. The answer is the same either way.

    Raises:
      ValueError: a batch does not divide by the number of devices; of several
        processes, the stream has no rows of one.
    """
    devices = jax.device_count()
    if devices == 1:
        return state, stream
    for leaf in jax.tree.leaves(stream[0]):
        _check_divides(leaf.shape[0], devices)
    if jax.process_count() > 1:
        if not hasattr(stream, 'of_process'):
            raise ValueError(
                f'a stream without of_process cannot be read by {jax.process_count()} '
                'processes; those of transfer_jax.data have it'
            )
        stream = stream.of_process(jax.process_index(), jax.process_count())
    return replicated(state, mesh()), feed.Sharded(stream, by_rows(mesh()))


def local(tree: PyTree) -> PyTree:
    """A replicated tree as this process has it; with one process, as it is."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)


def is_first() -> bool:
    """Whether this process is the one that writes and speaks for all."""
    return jax.process_index() == 0


def wait() -> None:
    """Until every process is here."""
    any_process(False)


def any_process(flag: bool) -> bool:
    """Whether the flag is set in any process. All of them must ask."""
    if jax.process_count() == 1:
        return flag
    from jax.experimental import multihost_utils

    return bool(multihost_utils.process_allgather(np.int32(flag)).any())


def mesh() -> Mesh:
    """All devices in one row named 'data'."""
    return jax.make_mesh(
        (jax.device_count(),), (collective.AXIS,), axis_types=(AxisType.Auto,)
    )


def by_rows(mesh: Mesh) -> NamedSharding:
    """Batches: rows over the devices."""
    return NamedSharding(mesh, PartitionSpec(collective.AXIS))


def by_runs(devices: int) -> NamedSharding:
    """Runs side by side: an equal number of them on each of the first devices."""
    mesh = Mesh(np.asarray(jax.local_devices()[:devices]), (RUNS,))
    return NamedSharding(mesh, PartitionSpec(RUNS))


def replicated(tree: PyTree, mesh: Mesh) -> PyTree:
    """A copy of the tree on every device.

    Of several processes, each gives the same tree.
    """
    if jax.process_count() > 1:  # what lies on one device cannot go to another's
        tree = jax.device_get(tree)
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def _check_divides(rows: int, devices: int) -> None:
    if rows % devices:
        raise ValueError(f'a batch of {rows} does not divide by {devices} devices')
