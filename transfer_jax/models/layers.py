"""The layers that every network here is made of."""

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array


class Conv(nn.Module):
    """2-D convolution with bias, parameters as in nn.Conv (kernel HWIO, bias)."""

    features: int
    window: int
    stride: int = 1
    padding: int = 0
    use_bias: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (self.window, self.window, x.shape[-1], self.features)
        kernel = self.param('kernel', nn.initializers.lecun_normal(), shape)
        x = ops.convolve(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            stride=self.stride,
            padding=self.padding,
        )
        if self.use_bias:
            bias = self.param('bias', nn.initializers.zeros, (self.features,))
            x = x + bias.astype(self.dtype)
        return x


def flatten(x: Array) -> Array:
    """(n, ...) -> (n, d)."""
    return x.reshape(x.shape[0], -1)
