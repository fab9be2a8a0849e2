"""Many runs, many steps or many devices in one program; chosen here by backend."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from transfer_jax.ops import collective
from transfer_jax.training import feed
from transfer_jax.training.method import Method
from transfer_jax.training.state import TrainState
from transfer_jax.types import Array, PyTree


def over_runs(
    make: Callable[..., Method], values: Mapping[str, Any], *, vmap: bool | None = None
) -> Method:
    """One method that trains r runs side by side.

    Each leaf of state, batch, key and metrics has a leading axis r. `make(**values)` is
    called inside the trace with the r-th of each value, so any scalar hyper-parameter
    may differ; with no values (several seeds) it is called with none.

    Args:
      values: {name: (r,)}.
      vmap: run under vmap; if False the runs are unrolled. None: vmap on accelerators
        only, because on CPU a vmapped convolution kernel is 4 to 15 times slower.
    """
    values = {name: jnp.asarray(value) for name, value in values.items()}
    if vmap is None:
        vmap = jax.default_backend() != 'cpu'

    def each(pick):
        def one(value, arguments):
            return pick(make(**value))(*arguments)

        def many(*arguments):
            if vmap:
                return jax.vmap(one)(values, arguments)
            runs = jax.tree.leaves((values, arguments))[0].shape[0]
            parts = [
                one(*jax.tree.map(lambda leaf, r=r: leaf[r], (values, arguments)))
                for r in range(runs)
            ]
            return jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)

        return many

    return Method(
        init=each(lambda method: method.init),
        step=each(lambda method: method.step),
        predict=each(lambda method: method.predict),
    )


def several_steps(method: Method, k: int) -> Method:
    """A method whose step is k steps of `method` in one dispatch.

    Its batch has a leading axis k; its metrics are those of the last of the k steps.
    For accelerators: on CPU a convolution's gradient inside a loop is far slower.
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

    With one device, both as they are. The answer is the same either way.

    Raises:
      ValueError: a batch does not divide by the number of devices.
    """
    devices = jax.device_count()
    if devices == 1:
        return state, stream
    for leaf in jax.tree.leaves(stream[0]):
        _check_divides(leaf.shape[0], devices)
    return replicated(state, mesh()), feed.Sharded(stream, by_rows(mesh()))


def mesh() -> Mesh:
    """All devices in one row named 'data'."""
    return jax.make_mesh(
        (jax.device_count(),), (collective.AXIS,), axis_types=(AxisType.Auto,)
    )


def by_rows(mesh: Mesh) -> NamedSharding:
    """Batches: rows over the devices."""
    return NamedSharding(mesh, PartitionSpec(collective.AXIS))


def replicated(tree: PyTree, mesh: Mesh) -> PyTree:
    """A copy of the tree on every device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def _check_divides(rows: int, devices: int) -> None:
    if rows % devices:
        raise ValueError(f'a batch of {rows} does not divide by {devices} devices')
