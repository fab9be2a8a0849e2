"""A network of separable layers, for studies of layer transfer."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.types import Array


class LayeredNet(nn.Module):
    """Five layers for images of 28 or 32 pixels, each with its own parameter subtree.

    conv_1 3x3 16, pool 2, conv_2 3x3 32, pool 2, conv_3 3x3 48, pool 2, dense_4 128,
    dense_5 128; each is followed by its norm and ReLU. `LAYERS` holds their names in
    order. All parameters of a layer, including its norm, are under its name:
    'conv_1/conv/kernel', 'conv_1/norm/scale', 'dense_4/dense/kernel'.

    Attributes:
      norm: builds the norm of each layer, norm(name=..., frozen=...); None: no norm.
      frozen: layers whose norm uses its running statistics in training too.
      dtype: of the computation; parameters are float32.
    """

    norm: Callable[..., nn.Module] | None = None
    frozen: Sequence[str] = ()
    dtype: jnp.dtype = jnp.float32

    LAYERS = ('conv_1', 'conv_2', 'conv_3', 'dense_4', 'dense_5')

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        for name in self.frozen:
            if name not in self.LAYERS:
                raise ValueError(f'no layer {name!r}; there are: {self.LAYERS}')
        taps = {}
        for name, width in zip(self.LAYERS, (16, 32, 48, 128, 128), strict=True):
            norm = self.norm and _with_policy(self.norm, name in self.frozen)
            layer = _Layer(width, norm, self.dtype, name=name)
            x = taps[name] = layer(x, train=train, domain=domain)
        return x, taps


class _Layer(nn.Module):
    """A convolution with a pool, or a dense layer; then norm and ReLU."""

    width: int
    norm: Callable[..., nn.Module] | None
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, *, train, domain):
        if self.name.startswith('conv'):
            conv = layers.Conv(self.width, 3, padding=1, dtype=self.dtype, name='conv')
            x = ops.max_pool(conv(x), 2)
        else:
            dense = nn.Dense(self.width, dtype=self.dtype, name='dense')
            x = dense(layers.flatten(x))
        if self.norm is not None:
            x = self.norm(name='norm')(x, train=train, domain=domain)
        return nn.relu(x)


def _with_policy(norm, frozen):
    return lambda name: norm(name=name, frozen=frozen)
