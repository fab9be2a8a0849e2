"""Pooling, in the form whose gradient is fast on the current backend.

On CPU the gradient of reduce_window costs eight times that of the same maximum over
strided slices, first along columns and then along rows. Windows without overlap use
slices on every backend. The gradient of jnp.max is not used: it looks for entries equal
to the maximum. If XLA recomputes the entries with another rounding, it finds none, and
the gradient is 0 / 0.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from transfer_jax.ops import precision
from transfer_jax.types import Array


def max_pool(
    x: Array,
    window: int,
    stride: int | None = None,
    *,
    padding: int = 0,
    ceil: bool = False,
) -> Array:
    """Maximum over windows, (n, h, w, c) -> (n, h', w', c).

    If several entries of a window are equal to the maximum, only one receives gradient.

    Args:
      stride: None for the size of the window.
      padding: positions added on each of the four sides, which are never the maximum.
      ceil: keep a last window that is partly outside, if it begins inside or in the
        padding above; otherwise the remainder at the right and bottom is cut.
    """
    stride = stride or window
    sides = [_sides(size, window, stride, padding, ceil) for size in x.shape[1:3]]
    if any(low > 0 or high > 0 for low, high in sides):
        sides = [(low, max(high, 0)) for low, high in sides]
        x = jnp.pad(x, ((0, 0), *sides, (0, 0)), constant_values=-jnp.inf)
    if stride == window or jax.default_backend() == 'cpu':
        return by_slices(x, window, stride)
    return by_window(x, window, stride)


def by_window(x: Array, window: int, stride: int) -> Array:
    """`max_pool` without padding by XLA's reduce_window."""
    across, steps = (1, window, window, 1), (1, stride, stride, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, across, steps, 'VALID')


def by_slices(x: Array, window: int, stride: int) -> Array:
    """`max_pool` without padding by strided slices, along columns and then rows."""
    for axis in (2, 1):
        last = (x.shape[axis] - window) // stride * stride + 1
        x = functools.reduce(
            _larger,
            [
                lax.slice_in_dim(x, i, i + last, stride, axis=axis)
                for i in range(window)
            ],
        )
    return x


@precision.full_precision
def average_pool(x: Array, size: int) -> Array:
    """Means over s x s parts that cover the map, (n, h, w, c) -> (n, s, s, c).

    With s = `size`, part i of h rows goes from floor(i h / s) to ceil((i + 1) h / s).
    Parts overlap or repeat if s does not divide h (the adaptive pool of PyTorch).
    """
    h, w = x.shape[1:3]
    if h == w == size:
        return x
    rows, columns = (_parts(side, size).astype(x.dtype) for side in (h, w))
    return jnp.einsum('ih,jw,nhwc->nijc', rows, columns, x)


def _parts(side: int, size: int) -> np.ndarray:
    """Weights (size, side) of the mean over each part."""
    weights = np.zeros((size, side))
    for i in range(size):
        first, last = i * side // size, -(-(i + 1) * side // size)
        weights[i, first:last] = 1 / (last - first)
    return weights


def _larger(a: Array, b: Array) -> Array:
    """Maximum whose gradient goes to one argument; nan wins, as in jnp.maximum."""
    return jnp.where((b > a) | jnp.isnan(b), b, a)


def _sides(size: int, window: int, stride: int, padding: int, ceil: bool):
    """Padding before and after one axis; a negative number is a remainder to cut."""
    last = size + 2 * padding - window
    windows = (-(-last // stride) if ceil else last // stride) + 1
    if ceil and (windows - 1) * stride >= size + padding:
        windows -= 1
    return padding, (windows - 1) * stride + window - size - padding
