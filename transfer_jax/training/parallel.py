"""Several runs, steps or devices in one program, with defaults by backend."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from transfer_jax.ops import collective, convolution
from transfer_jax.training import feed, on_device
from transfer_jax.training.method import Method
from transfer_jax.training.state import TrainState
from transfer_jax.types import Array, PyTree

# Ways to train several runs in one program
HOW = ('vmap', 'vmap_patches', 'unroll', 'scan')
CHUNK = 100  # steps in a dispatch on an accelerator
RUNS = 'runs'  # the mesh axis over which runs are sharded


def with_traced_values(
    make: Callable[..., Method],
) -> Callable[[Mapping[str, Any]], Method]:
    """A function from values to methods that all share one compiled program.

    `make(**values)` is called inside the trace. Its arguments are scalars in the state
    (`state.values`), not constants, so the steps of all methods are one function, and
    runs that differ in a learning rate or a weight compile once. `make` must not branch
    on such a value in Python.
    """

    def step(state, batch, key):
        new, metrics = make(**state.values).step(state, batch, key)
        return new.replace(values=state.values), metrics

    def predict(state, batch):
        return make(**state.values).predict(state, batch)

    def method(values):
        values = {name: jnp.float32(value) for name, value in values.items()}

        def init(key, batch):
            return make(**values).init(key, batch).replace(values=values)

        return Method(init, step, predict)

    return method


def over_runs(
    make: Callable[..., Method],
    values: Mapping[str, Any] | None = None,
    *,
    how: str | None = None,
    devices: int = 1,
) -> Method:
    """One method that trains r runs in one program.

    Each leaf of state, batch, key and metrics has a leading axis r. `make(**values)` is
    called inside the trace with entry i of each value for run i, so any scalar
    hyper-parameter may differ. Without values (several seeds) it is called without
    arguments.

    Args:
      values: {name: (r,)}.
      how: one of HOW: 'vmap', 'vmap_patches' (with convolutions as batches of matrix
        products), 'unroll' (one run after another in one program) or 'scan' (the same
        as a loop, which compiles a single run). The default is vmap on accelerators and
        unroll on CPU, where XLA's convolution (`use_xla`) is 4 to 15 times slower with
        vmapped kernels, and its gradient even more so in a loop. Networks without it
        are a tenth faster with scan.
      devices: number of devices over which runs are sharded, equally many on each. The
        arguments of the method must have that sharding (`run_sharding`).

    Raises:
      ValueError: `how` is not in HOW.
    """
    values = {name: jnp.asarray(value) for name, value in (values or {}).items()}
    how = how or ('unroll' if jax.default_backend() == 'cpu' else 'vmap')
    if how not in HOW:
        raise ValueError(f'no way {how!r} for runs; choose from {", ".join(HOW)}')

    def over_all(get_function):
        def one_run(values, arguments):
            return get_function(make(**values))(*arguments)

        def all_runs(values, arguments):
            if how == 'vmap':
                return jax.vmap(one_run)(values, arguments)
            if how == 'vmap_patches':
                with convolution.as_patches():
                    return jax.vmap(one_run)(values, arguments)
            if how == 'scan':
                return jax.lax.map(lambda run: one_run(*run), (values, arguments))
            runs = jax.tree.leaves((values, arguments))[0].shape[0]
            results = [
                one_run(*jax.tree.map(lambda leaf, r=r: leaf[r], (values, arguments)))
                for r in range(runs)
            ]
            return jax.tree.map(lambda *leaves: jnp.stack(leaves), *results)

        if devices > 1:
            sharding = run_sharding(devices)
            # Devices share nothing, so there is nothing to check.
            all_runs = jax.shard_map(
                all_runs,
                mesh=sharding.mesh,
                in_specs=sharding.spec,
                out_specs=sharding.spec,
                check_vma=False,
            )
        return lambda *arguments: all_runs(values, arguments)

    return Method(
        init=over_all(lambda method: method.init),
        step=over_all(lambda method: method.step),
        predict=over_all(lambda method: method.predict),
    )


def several_steps(method: Method, k: int) -> Method:
    """A method whose step is k steps of `method` in one dispatch.

    Its batch has a leading axis k; its metrics are those of the last step. This is for
    accelerators: on CPU it saves a tenth of the time at best, and the gradient of XLA's
    convolution (`use_xla`) is far slower inside a loop.
    """

    def step(state, batches, key):
        def body(state, batch):
            return method.step(state, batch, key)

        state, metrics = jax.lax.scan(body, state, batches, length=k)
        return state, jax.tree.map(lambda leaf: leaf[-1], metrics)

    return method._replace(step=step)


def pmapped(method: Method) -> Method:
    """A method whose step runs under pmap over all local devices, axis 'data'.

    The state that it takes and returns is a single copy; the batch is split by rows.

    Raises:
      ValueError: a batch is not divisible by the number of devices.
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


def shard(
    state: TrainState, stream: feed.BatchStream, data_on_device: str = 'auto'
) -> tuple[TrainState, feed.BatchStream]:
    """Replicates the state on all devices and shards the rows of batches over them.

    With one device, the state is returned unchanged. With several processes, each reads
    its rows of the same batches. Training gives the same result in each case.

    Args:
      data_on_device: whether the data lies there too, see on_device.place.

    Raises:
      ValueError: a batch is not divisible by the number of devices; or there are
        several processes, and the stream has no `process_shard`; or the data cannot lie
        on the device though that was asked.
    """
    devices = jax.device_count()
    if devices == 1:
        return state, on_device.place(stream, data_on_device)
    for leaf in jax.tree.leaves(stream[0]):
        _check_divides(leaf.shape[0], devices)
    if jax.process_count() > 1:
        if not hasattr(stream, 'process_shard'):
            raise ValueError(
                f'{jax.process_count()} processes need a stream with process_shard, '
                'such as those of transfer_jax.data'
            )
        stream = stream.process_shard(jax.process_index(), jax.process_count())
    rows = row_sharding(mesh())
    placed = on_device.place(stream, data_on_device, rows)
    if placed is stream:
        placed = feed.Sharded(stream, rows)
    return replicated(state, mesh()), placed


def chunk_of(stream: feed.BatchStream) -> int:
    """How many steps of `fit` to take in a dispatch: CHUNK on accelerators, else 1.

    Only where the data lies on the device: other batches come one by one.
    """
    accelerated = jax.default_backend() != 'cpu'
    resident = isinstance(stream, on_device.OnDevice)
    return CHUNK if accelerated and resident else 1


def seeds_together() -> int:
    """How many seeds of a run train at the same time: all (0) on accelerators, else 1.

    A step of a small network leaves most of an accelerator idle.
    """
    return 1 if jax.default_backend() == 'cpu' else 0


def evaluates_in_background() -> bool:
    """Whether a run evaluates in a thread while it trains.

    On an accelerator, where validators would leave it idle. On a CPU both would share
    the cores. Several processes evaluate together, between two steps.
    """
    return jax.default_backend() != 'cpu' and jax.process_count() == 1


def local(tree: PyTree) -> PyTree:
    """This process's copy of a replicated tree; with one process, the tree itself."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)


def is_first() -> bool:
    """Whether this is the process that writes files and prints."""
    return jax.process_index() == 0


def wait() -> None:
    """Wait until every process has called this."""
    any_process(False)


def any_process(flag: bool) -> bool:
    """Whether the flag is set in any process. Every process must call it."""
    if jax.process_count() == 1:
        return flag
    from jax.experimental import multihost_utils

    return bool(multihost_utils.process_allgather(np.int32(flag)).any())


def mesh() -> Mesh:
    """A mesh of all devices, with one axis 'data'."""
    return jax.make_mesh(
        (jax.device_count(),), (collective.AXIS,), axis_types=(AxisType.Auto,)
    )


def row_sharding(mesh: Mesh) -> NamedSharding:
    """Sharding of batches: rows over the devices."""
    return NamedSharding(mesh, PartitionSpec(collective.AXIS))


def everywhere() -> NamedSharding | None:
    """A copy on every device; None where there is one."""
    if jax.device_count() == 1:
        return None
    return NamedSharding(mesh(), PartitionSpec())


def run_sharding(devices: int) -> NamedSharding:
    """Sharding of runs: equally many on each of the first `devices` local devices."""
    mesh = Mesh(np.asarray(jax.local_devices()[:devices]), (RUNS,))
    return NamedSharding(mesh, PartitionSpec(RUNS))


def replicated(tree: PyTree, mesh: Mesh) -> PyTree:
    """A copy of the tree on every device.

    With several processes, each must give the same tree.
    """
    if jax.process_count() > 1:  # an array on one device cannot go to another process's
        tree = jax.device_get(tree)
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def _check_divides(rows: int, devices: int) -> None:
    if rows % devices:
        raise ValueError(f'a batch of {rows} is not divisible by {devices} devices')
