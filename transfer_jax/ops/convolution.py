"""Convolution, in the form that is fast on the backend at hand.

On CPU, the gradients of XLA's convolution are for most layers here up to three times
slower than the same sums written as one matrix product over patches
(benchmarks/convolution.py measures it, with the exceptions); elsewhere XLA's own is
used. The result is the same sum in another order.
"""

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.types import Array

# Zeros on each side, on ((top, bottom), (left, right)), or TensorFlow's 'SAME'.
Padding = int | str | tuple[tuple[int, int], tuple[int, int]]

# Up to here patches are gathered along columns and then along rows, so that runs of
# kw * c numbers are copied, not of c. The first layer of Ganin's MNIST net takes 17 to
# 36 % less processor time by it, and the same where huge pages are kept for reuse. With
# more channels the gradients of the two copies cost more than they save.
FEW_CHANNELS = 4


def convolve(
    x: Array,
    kernel: Array,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    groups: int = 1,
    use_xla: bool = False,
) -> Array:
    """2-D cross-correlation with zero padding, the 'convolution' of networks.

    Args:
      x: (n, h, w, c).
      kernel: (kh, kw, c / groups, k).
      stride: the same in both directions.
      padding: zeros on each of the four sides; ((top, bottom), (left, right)); or
        'SAME', TensorFlow's: ceil(h / stride) rows, the odd zero at the bottom.
      dilation: distance of the entries that one window reads.
      groups: the k outputs are cut into so many parts, and each reads its own part of
        the c inputs; c groups make a depthwise convolution.
      use_xla: on CPU too, XLA's convolution for windows larger than 1x1. Patches of 3x3
        take nine times the memory of the map; where maps are large, as in ResNets and
        VGG, they cost up to four times the time of the forward pass. A map smaller
        than its window is made of patches all the same: XLA's takes many times as long
        there (benchmarks/convolution.py, of a ResNet).

    Returns:
      (n, (h + padding of both sides - (kh - 1) dilation - 1) // stride + 1, ..., k).
    """
    ways = {'stride': stride, 'padding': padding, 'dilation': dilation}
    if jax.default_backend() != 'cpu':
        return by_xla(x, kernel, groups=groups, **ways)
    if groups == 1 and not (use_xla and _large(x, kernel, **ways)):
        return by_patches(x, kernel, **ways)
    if groups == x.shape[-1] == kernel.shape[-1]:
        return by_shifts(x, kernel, **ways)
    return by_xla(x, kernel, groups=groups, **ways)


def by_xla(
    x: Array,
    kernel: Array,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """`convolve` by XLA's convolution."""
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        _sides(x, kernel, stride, padding, dilation),
        rhs_dilation=(dilation, dilation),
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        feature_group_count=groups,
    )


def by_patches(
    x: Array,
    kernel: Array,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
) -> Array:
    """`convolve` by one matrix product of patches, (n h w, kh kw c) x (kh kw c, k)."""
    kh, kw, c, k = kernel.shape
    x = _pad(x, _sides(x, kernel, stride, padding, dilation))
    n = x.shape[0]
    rows, columns = _places(x.shape[1:3], kernel, stride, dilation)

    def along(x, axis, window, places):
        """Entries of each window along one axis, side by side in the last one."""
        last = (places - 1) * stride + 1
        starts = range(0, window * dilation, dilation)
        shifted = [lax.slice_in_dim(x, i, i + last, stride, axis) for i in starts]
        return jnp.concatenate(shifted, axis=-1)

    if c <= FEW_CHANNELS:
        patches = along(along(x, 2, kw, columns), 1, kh, rows)
    else:
        patches = jnp.concatenate(_shifted(x, kernel, stride, dilation), axis=-1)
    patches = patches.reshape(n * rows * columns, kh * kw * c)
    return (patches @ kernel.reshape(kh * kw * c, k)).reshape(n, rows, columns, k)


def by_shifts(
    x: Array,
    kernel: Array,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
) -> Array:
    """Depthwise `convolve`, kernel (kh, kw, 1, c), as kh kw products of shifted maps.

    On CPU its gradient costs a quarter of that of XLA's grouped convolution.
    """
    x = _pad(x, _sides(x, kernel, stride, padding, dilation))
    weights = kernel.reshape(-1, kernel.shape[-1])
    shifted = _shifted(x, kernel, stride, dilation)
    return sum(part * weights[i] for i, part in enumerate(shifted))


def _large(x, kernel, *, stride, padding, dilation):
    """Whether the output is at least as large as a window of more than one entry."""
    window = kernel.shape[:2]
    sides = _sides(x, kernel, stride, padding, dilation)
    sizes = [n + sum(side) for n, side in zip(x.shape[1:3], sides, strict=True)]
    places = _places(sizes, kernel, stride, dilation)
    return window != (1, 1) and all(p >= w for p, w in zip(places, window, strict=True))


def _sides(x, kernel, stride, padding, dilation):
    """Padding as ((top, bottom), (left, right))."""
    if isinstance(padding, int):
        return ((padding, padding),) * 2
    if padding != 'SAME':
        return padding
    sides = []
    for size, window in zip(x.shape[1:3], kernel.shape[:2], strict=True):
        span = (-(-size // stride) - 1) * stride + (window - 1) * dilation + 1
        missing = max(span - size, 0)
        sides.append((missing // 2, missing - missing // 2))
    return tuple(sides)


def _pad(x, sides):
    return jnp.pad(x, ((0, 0), *sides, (0, 0))) if any(map(any, sides)) else x


def _places(sizes, kernel, stride, dilation):
    """Rows and columns of the output, where x is padded to these `sizes`."""
    return [
        (size - (window - 1) * dilation - 1) // stride + 1
        for size, window in zip(sizes, kernel.shape[:2], strict=True)
    ]


def _shifted(x, kernel, stride, dilation):
    """For every entry of the window, what it reads of a padded x: kh kw maps."""
    n, _, _, c = x.shape
    rows, columns = _places(x.shape[1:3], kernel, stride, dilation)
    high, wide = (rows - 1) * stride + 1, (columns - 1) * stride + 1
    return [
        lax.slice(x, (0, i, j, 0), (n, i + high, j + wide, c), (1, stride, stride, 1))
        for i in range(0, kernel.shape[0] * dilation, dilation)
        for j in range(0, kernel.shape[1] * dilation, dilation)
    ]
