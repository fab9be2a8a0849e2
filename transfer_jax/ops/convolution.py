"""Convolution and pooling, in the form that is fast on the backend at hand.

On CPU, the gradients of XLA's convolution are for most layers here up to three times
slower than the same sums written as one matrix product over patches
(benchmarks/convolution.py measures it, with the exceptions); elsewhere XLA's own is
used. The result is the same sum in another order.
"""

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.types import Array

# Up to here patches are gathered along columns and then along rows, so that runs of
# kw * c numbers are copied, not of c. The first layer of Ganin's MNIST net takes 17 to
# 36 % less processor time by it, and the same where huge pages are kept for reuse. With
# more channels the gradients of the two copies cost more than they save.
FEW_CHANNELS = 4


def convolve(x: Array, kernel: Array, *, stride: int = 1, padding: int = 0) -> Array:
    """2-D cross-correlation with zero padding, the 'convolution' of networks.

    Args:
      x: (n, h, w, c).
      kernel: (kh, kw, c, k).
      stride: the same in both directions.
      padding: zeros added on each of the four sides.

    Returns:
      (n, (h + 2 padding - kh) // stride + 1, ..., k).
    """
    if jax.default_backend() == 'cpu':
        return by_patches(x, kernel, stride=stride, padding=padding)
    return by_xla(x, kernel, stride=stride, padding=padding)


def by_xla(x: Array, kernel: Array, *, stride: int = 1, padding: int = 0) -> Array:
    """`convolve` by XLA's convolution."""
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        [(padding, padding)] * 2,
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )


def by_patches(x: Array, kernel: Array, *, stride: int = 1, padding: int = 0) -> Array:
    """`convolve` by one matrix product of patches, (n h w, kh kw c) x (kh kw c, k)."""
    kh, kw, c, k = kernel.shape
    if padding:
        x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    n, h, w, _ = x.shape
    rows, columns = (h - kh) // stride + 1, (w - kw) // stride + 1

    def along(x, axis, window, places):
        """Entries of each window along one axis, side by side in the last one."""
        last = (places - 1) * stride + 1
        shifted = [
            lax.slice_in_dim(x, i, i + last, stride, axis) for i in range(window)
        ]
        return jnp.concatenate(shifted, axis=-1)

    if c <= FEW_CHANNELS:
        patches = along(along(x, 2, kw, columns), 1, kh, rows)
    else:
        patches = jnp.concatenate(
            [
                lax.slice(
                    x,
                    (0, i, j, 0),
                    (n, i + (rows - 1) * stride + 1, j + (columns - 1) * stride + 1, c),
                    (1, stride, stride, 1),
                )
                for i in range(kh)
                for j in range(kw)
            ],
            axis=-1,
        )
    patches = patches.reshape(n * rows * columns, kh * kw * c)
    return (patches @ kernel.reshape(kh * kw * c, k)).reshape(n, rows, columns, k)


def max_pool(x: Array, window: int, stride: int | None = None) -> Array:
    """Maximum over windows without padding, (n, h, w, c) -> (n, h', w', c).

    Windows that do not overlap are maxima of strided slices, whose gradient costs a
    fraction of reduce_window's on CPU; a remainder at the right and bottom is cut.
    """
    stride = stride or window
    if stride != window:
        return lax.reduce_window(
            x,
            -jnp.inf,
            lax.max,
            (1, window, window, 1),
            (1, stride, stride, 1),
            'VALID',
        )
    n, h, w, c = x.shape
    rows, columns = h // window, w // window
    x = x[:, : rows * window, : columns * window]
    return x.reshape(n, rows, window, columns, window, c).max((2, 4))
