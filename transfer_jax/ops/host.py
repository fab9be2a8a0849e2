"""Calls to NumPy and SciPy in a compiled program, where they are faster than XLA."""

from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from transfer_jax.types import Array


def call(
    function: Callable[..., Sequence[np.ndarray]],
    shapes: Sequence[tuple[int, ...]],
    *arrays: Array,
) -> tuple[Array, ...]:
    """function(*arrays) on the host, in float64; works under jit and vmap.

    jax.pure_callback converts its arguments to float32 if the thread that runs the
    program does not have jax_enable_x64. Arrays are therefore passed as their bits.

    Args:
      function: a pure function from NumPy arrays to one array for each of `shapes`.
      shapes: shapes of the results.
      arrays: arguments; they are converted to float64.
    """

    def on_host(*bits):
        arguments = (np.asarray(b).view(np.float64)[..., 0] for b in bits)
        return tuple(
            np.ascontiguousarray(result, np.float64)[..., None].view(np.int32)
            for result in function(*arguments)
        )

    bits = (_to_bits(jnp.asarray(a, jnp.float64)) for a in arrays)
    types = tuple(jax.ShapeDtypeStruct((*s, 2), jnp.int32) for s in shapes)
    results = jax.pure_callback(on_host, types, *bits, vmap_method='sequential')
    return tuple(_from_bits(r) for r in results)


def _to_bits(x: Array) -> Array:
    return lax.bitcast_convert_type(x, jnp.int32)


def _from_bits(x: Array) -> Array:
    return lax.bitcast_convert_type(x, jnp.float64)
