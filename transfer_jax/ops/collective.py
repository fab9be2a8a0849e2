"""Gather and average over the devices of a batch, or do nothing where there are none.

The axis is always named 'data'. Under pmap (training.parallel.pmapped) it is bound;
under plain jit, also with a sharded batch, it is not and every function here is the
identity. So a loss is written once and is the same number on any number of devices.
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
    """How many share the batch: 1 where the axis is not bound."""
    return lax.axis_size(AXIS) if bound() else 1


def own_rows(x: Array) -> Array:
    """This device's rows of an array for the whole batch: undoes `gather`.

    With it a draw for each example is the same on any number of devices: draw for all
    rows by the common key, and keep one's own.
    """
    if not bound():
        return x
    n = x.shape[0] // devices()
    return lax.dynamic_slice_in_dim(x, lax.axis_index(AXIS) * n, n)


def own_key(key: Key) -> Key:
    """A key that differs between devices: for dropout, which must not repeat."""
    return jax.random.fold_in(key, lax.axis_index(AXIS)) if bound() else key
