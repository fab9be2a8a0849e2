"""Decoders from a code to an image."""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax.models import layers
from transfer_jax.types import Array


class DigitDecoder(nn.Module):
    """A small image from a code, (n, d) -> (n, h, w, c).

    dense to h/4 x w/4 x widths[0], upsample by 2, conv 3x3 widths[1], upsample by 2,
    conv 3x3 c. Upsampling repeats pixels, which avoids checkerboard patterns. A side
    that is not divisible by four is rounded up and then cut. The last layer is linear.
    Returns (images in float32, {'dense', 'conv_1'}).

    Attributes:
      shape: (h, w, c).
      widths: channels of the two inner layers.
    """

    shape: Sequence[int]
    widths: Sequence[int] = (32, 16)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        h, w, channels = self.shape
        rows, columns = math.ceil(h / 4), math.ceil(w / 4)
        wide, narrow = self.widths
        x = nn.Dense(rows * columns * wide, dtype=self.dtype, name='dense')(x)
        first = x = nn.relu(x.reshape(-1, rows, columns, wide))
        conv = layers.Conv(narrow, 3, padding=1, dtype=self.dtype, name='conv_1')
        second = x = nn.relu(conv(_upsample(x)))
        x = _upsample(x)[:, :h, :w]
        x = layers.Conv(channels, 3, padding=1, dtype=self.dtype, name='image')(x)
        return x.astype(jnp.float32), {'dense': first, 'conv_1': second}


def _upsample(x):
    """Repeat every pixel twice in each direction."""
    n, h, w, c = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (n, h, 2, w, 2, c))
    return x.reshape(n, 2 * h, 2 * w, c)
