"""Pooling, in the form whose gradient is fast on the backend at hand.

On CPU the gradient of reduce_window costs eight times that of the same maximum written
over strided slices, first along columns and then along rows, as windows without overlap
are pooled everywhere. The gradient of jnp.max is not used: it looks for entries
that equal the maximum, and where XLA computes the entries again, with another rounding,
there are none, and it is 0 / 0.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

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

    Args:
      stride: that of the window if None.
      padding: places on each of the four sides that no maximum is taken from.
      ceil: a last window that is partly outside counts, if it begins inside or in the
        padding above; otherwise the remainder at the right and bottom is cut.

    Of equal entries of one window, one has the gradient.
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


def average_pool(x: Array, size: int) -> Array:
    """Means over size x size parts that cover the map, (n, h, w, c) -> (n, s, s, c).

    Part i of h rows goes from floor(i h / s) to ceil((i + 1) h / s), so that parts
    overlap or repeat where s does not divide h (the adaptive pool of PyTorch).
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
    """Maximum whose gradient goes to one side; nan wins, as in jnp.maximum."""
    return jnp.where((b > a) | jnp.isnan(b), b, a)


def _sides(size: int, window: int, stride: int, padding: int, ceil: bool):
    """Places to add before and after one axis; a negative number is a remainder."""
    whole = size + 2 * padding - window
    places = (-(-whole // stride) if ceil else whole // stride) + 1
    if ceil and (places - 1) * stride >= size + padding:
        places -= 1
    return padding, (places - 1) * stride + window - size - padding
