"""Gather and average over the devices that share a batch.

The axis is always named 'data'. It is bound under pmap (training.parallel.pmapped).
Under plain jit, even with a sharded batch, it is not bound, and every function here is
the identity. A loss is thus written once and is the same number on any number of
devices.
"""

import jax
from jax import lax

from transfer_jax.types import Array, Key, PyTree

AXIS = 'data'


def bound() -> bool:
    """Whether this trace runs inside the mapped axis."""
    try:
        lax.axis_index(AXIS)
    except NameError:
        return False
    return True


def mean(tree: PyTree) -> PyTree:
    """Average every leaf over the devices."""
    return lax.pmean(tree, AXIS) if bound() else tree


def total(tree: PyTree) -> PyTree:
    """Sum every leaf over the devices."""
    return lax.psum(tree, AXIS) if bound() else tree


def gather(x: Array) -> Array:
    """Rows of all devices, (n, ...) -> (devices * n, ...), in device order."""
    return lax.all_gather(x, AXIS, tiled=True) if bound() else x


def devices() -> int:
    """Number of devices that share the batch; 1 if the axis is not bound."""
    return lax.axis_size(AXIS) if bound() else 1


def own_rows(x: Array) -> Array:
    """This device's rows of an array for the whole batch; the inverse of `gather`.

    It makes random draws per example independent of the number of devices: draw for all
    rows with the common key, then take the rows of this device.
    """
    if not bound():
        return x
    n = x.shape[0] // devices()
    return lax.dynamic_slice_in_dim(x, lax.axis_index(AXIS) * n, n)


def own_key(key: Key) -> Key:
    """A key that differs between devices, for dropout, which must not repeat."""
    return jax.random.fold_in(key, lax.axis_index(AXIS)) if bound() else key
