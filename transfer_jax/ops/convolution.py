"""Convolution, in the form that is fast on the current backend.

On CPU, the gradients of XLA's convolution are up to three times slower than the same
sums as one matrix product over patches, for most layers here. benchmarks/convolution.py
measures this and the exceptions. Other backends use XLA's convolution. The result is
the same sum in another order.
"""

import contextlib
import contextvars
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.ops.depthwise import depthwise
from transfer_jax.types import Array

# Zeros on every side, zeros on ((top, bottom), (left, right)), or TensorFlow's 'SAME'.
Padding = int | str | tuple[tuple[int, int], tuple[int, int]]

# With at most so many channels, patches are gathered along columns and then along rows,
# which copies runs of kw * c numbers instead of c. This saves 17 to 36 % of the
# processor time of the first layer of Ganin's MNIST net, and nothing where huge pages
# are kept for reuse. With more channels, the gradients of the two copies cost more than
# they save.
FEW_CHANNELS = 4
LARGE = 5  # side of a depthwise window from which its gradient is not the transpose


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
        TensorFlow's 'SAME': ceil(h / stride) rows, an odd zero at the bottom.
      dilation: distance between the entries that a window reads.
      groups: number of parts of the k outputs, each of which reads its part of the c
        inputs; c groups make a depthwise convolution.
      use_xla: use XLA's convolution on CPU too, for windows larger than 1x1. Patches of
        3x3 take nine times the memory of the map. With large maps, as in ResNets and
        VGG, they cost up to four times the time of the forward pass. If the output is
        smaller than the window, patches are used anyway, because XLA's convolution
        takes many times as long there (benchmarks/convolution.py, a ResNet).

    Returns:
      (n, (h + padding of both sides - (kh - 1) dilation - 1) // stride + 1, ..., k).
    """
    options = {'stride': stride, 'padding': padding, 'dilation': dilation}
    if _patches.get() and groups == 1:
        return by_patches(x, kernel, **options)
    if jax.default_backend() != 'cpu':
        return by_xla(x, kernel, groups=groups, **options)
    if groups == 1 and not (use_xla and _large(x, kernel, **options)):
        return by_patches(x, kernel, **options)
    if groups == x.shape[-1] == kernel.shape[-1]:
        plain = stride == dilation == 1 and isinstance(padding, int)
        if plain and min(kernel.shape[:2]) > max(LARGE - 1, padding):
            return depthwise(x, kernel, padding)
        return by_shifts(x, kernel, **options)
    return by_xla(x, kernel, groups=groups, **options)


@contextlib.contextmanager
def as_patches() -> Iterator[None]:
    """What is traced meanwhile uses patches on every backend.

    Under vmap, a convolution whose kernels differ between runs becomes a grouped one,
    which is slow on GPUs; as patches it is a batch of matrix products.
    """
    token = _patches.set(True)
    try:
        yield
    finally:
        _patches.reset(token)


_patches: contextvars.ContextVar[bool] = contextvars.ContextVar(
    'patches', default=False
)


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
    rows, columns = _output_size(x.shape[1:3], kernel, stride, dilation)

    def along(x, axis, window, positions):
        """Entries of each window along one axis, concatenated in the last axis."""
        last = (positions - 1) * stride + 1
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
    output = _output_size(sizes, kernel, stride, dilation)
    return window != (1, 1) and all(n >= w for n, w in zip(output, window, strict=True))


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


def _output_size(sizes, kernel, stride, dilation):
    """Rows and columns of the output for an x padded to `sizes`."""
    return [
        (size - (window - 1) * dilation - 1) // stride + 1
        for size, window in zip(sizes, kernel.shape[:2], strict=True)
    ]


def _shifted(x, kernel, stride, dilation):
    """The entries of a padded x that each entry of the window reads: kh kw maps."""
    n, _, _, c = x.shape
    rows, columns = _output_size(x.shape[1:3], kernel, stride, dilation)
    height, width = (rows - 1) * stride + 1, (columns - 1) * stride + 1
    strides = (1, stride, stride, 1)
    return [
        lax.slice(x, (0, i, j, 0), (n, i + height, j + width, c), strides)
        for i in range(0, kernel.shape[0] * dilation, dilation)
        for j in range(0, kernel.shape[1] * dilation, dilation)
    ]
