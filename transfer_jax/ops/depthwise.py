"""Depthwise convolution with a large window on CPU, with a gradient of its own.

The transpose of a sum of 49 shifted maps is a sum of 49 padded ones, which XLA compiles
slowly in every layer. Here the gradient of x is another depthwise convolution and
that of the kernel a loop over the rows of the window, which is less to compile.
Gradients of gradients exist, forward derivatives (jax.jvp) do not.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.types import Array


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def depthwise(x: Array, kernel: Array, padding: int) -> Array:
    """Cross-correlation of each channel, stride 1: (n, h, w, c), (kh, kw, 1, c) -> map.

    Args:
      padding: zeros on each of the four sides, fewer than the window has entries along
        a side.
    """
    n, height, width, c = x.shape
    kh, kw = kernel.shape[:2]
    x = _pad(x, padding)
    size = (n, height + 2 * padding - kh + 1, width + 2 * padding - kw + 1, c)
    return sum(
        lax.slice(x, (0, i, j, 0), (n, i + size[1], j + size[2], c)) * kernel[i, j]
        for i in range(kh)
        for j in range(kw)
    )


def _forward(x, kernel, padding):
    return depthwise(x, kernel, padding), (x, kernel)


def _backward(padding, saved, gradient):
    x, kernel = saved
    kh, kw = kernel.shape[:2]
    rows, columns = gradient.shape[1:3]
    high, wide = kh - 1 - padding, kw - 1 - padding
    around = jnp.pad(gradient, ((0, 0), (high, high), (wide, wide), (0, 0)))
    of_x = depthwise(around, kernel[::-1, ::-1], 0)
    x = _pad(x, padding)

    def row(i):
        strip = lax.dynamic_slice_in_dim(x, i, rows, 1)
        parts = (strip[:, :, j : j + columns] * gradient for j in range(kw))
        return jnp.stack([part.sum((0, 1, 2)) for part in parts])

    return of_x, lax.map(row, jnp.arange(kh))[:, :, None]


def _pad(x, padding):
    return jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))


depthwise.defvjp(_forward, _backward)
