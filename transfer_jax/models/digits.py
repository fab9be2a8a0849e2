"""Encoders of the digit and sign experiments: Ganin's three, and LeNet as in ADDA.

Each takes images (n, h, w, c) and returns (features (n, d), named intermediates).
Every layer has a stable name, for masks and checkpoints. The pooled activations are
rectified after pooling, which is the same function and four times less work.

Attributes of all:
  norm: builds the norm layer after each convolution, norm(name=...); None leaves it
    out, as the papers do.
  dtype: of the computation; parameters are float32.
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.types import Array

Features = tuple[Array, dict[str, Array]]


class GaninMnist(nn.Module):
    """Figure 4a of Ganin & Lempitsky (2015): 28x28 -> 768 features.

    conv 5x5 32, pool 2, conv 5x5 48, pool 2. The classifier on it is
    heads.Classifier(10, (100, 100)), the discriminator heads.Discriminator((100,)).
    """

    norm: Callable[..., nn.Module] | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> Features:
        x = layers.Conv(32, 5, dtype=self.dtype, name='conv_1')(x)
        x = _normalise(self.norm, 1, x, train, domain)
        first = x = nn.relu(ops.max_pool(x, 2))
        x = layers.Conv(48, 5, dtype=self.dtype, name='conv_2')(x)
        x = _normalise(self.norm, 2, x, train, domain)
        second = x = nn.relu(ops.max_pool(x, 2))
        return layers.flatten(x), {'conv_1': first, 'conv_2': second}


class GaninSvhn(nn.Module):
    """Figure 4b: 32x32 -> 6272 features.

    conv 5x5 64, pool 3 stride 2, conv 5x5 64, pool 3 stride 2, conv 5x5 128. The
    classifier is heads.Classifier(10, (3072, 2048), dropout), the discriminator
    heads.Discriminator((1024, 1024)). The paper does not print the padding; with none the
    last 5x5 does not fit, so it is 2 here.
    """

    norm: Callable[..., nn.Module] | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> Features:
        x = layers.Conv(64, 5, padding=2, dtype=self.dtype, name='conv_1')(x)
        x = _normalise(self.norm, 1, x, train, domain)
        first = x = nn.relu(ops.max_pool(x, 3, 2))
        x = layers.Conv(64, 5, padding=2, dtype=self.dtype, name='conv_2')(x)
        x = _normalise(self.norm, 2, x, train, domain)
        second = x = nn.relu(ops.max_pool(x, 3, 2))
        x = layers.Conv(128, 5, padding=2, dtype=self.dtype, name='conv_3')(x)
        x = _normalise(self.norm, 3, x, train, domain)
        third = x = nn.relu(x)
        taps = {'conv_1': first, 'conv_2': second, 'conv_3': third}
        return layers.flatten(x), taps


class GaninSigns(nn.Module):
    """Figure 4c: 40x40 -> 1024 features.

    conv 5x5 96, pool 2, conv 3x3 144, pool 2, conv 5x5 256, pool 2. The classifier is
    heads.Classifier(43, (512,)), the discriminator heads.Discriminator((1024, 1024)).
    """

    norm: Callable[..., nn.Module] | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> Features:
        x = layers.Conv(96, 5, dtype=self.dtype, name='conv_1')(x)
        x = _normalise(self.norm, 1, x, train, domain)
        first = x = nn.relu(ops.max_pool(x, 2))
        x = layers.Conv(144, 3, dtype=self.dtype, name='conv_2')(x)
        x = _normalise(self.norm, 2, x, train, domain)
        second = x = nn.relu(ops.max_pool(x, 2))
        x = layers.Conv(256, 5, dtype=self.dtype, name='conv_3')(x)
        x = _normalise(self.norm, 3, x, train, domain)
        third = x = nn.relu(ops.max_pool(x, 2))
        taps = {'conv_1': first, 'conv_2': second, 'conv_3': third}
        return layers.flatten(x), taps


class LeNet(nn.Module):
    """LeNet as used by ADDA (Tzeng et al. 2017): 28x28 -> 500 features.

    conv 5x5 20, pool 2, conv 5x5 50, pool 2, dense 500.
    """

    norm: Callable[..., nn.Module] | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> Features:
        x = layers.Conv(20, 5, dtype=self.dtype, name='conv_1')(x)
        x = _normalise(self.norm, 1, x, train, domain)
        first = x = nn.relu(ops.max_pool(x, 2))
        x = layers.Conv(50, 5, dtype=self.dtype, name='conv_2')(x)
        x = _normalise(self.norm, 2, x, train, domain)
        second = x = nn.relu(ops.max_pool(x, 2))
        x = nn.Dense(500, dtype=self.dtype, name='dense')(layers.flatten(x))
        x = nn.relu(_normalise(self.norm, 3, x, train, domain))
        return x, {'conv_1': first, 'conv_2': second, 'dense': x}


class SmallNet(nn.Module):
    """Three 3x3 convolutions with a norm layer each, for small images and quick runs.

    conv 3x3 w, pool 2, conv 3x3 2w, pool 2, conv 3x3 2w: 16x16 -> 512 features at w 16.

    Attributes:
      width: w, the channels of the first layer.
    """

    width: int = 16
    norm: Callable[..., nn.Module] | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> Features:
        taps = {}
        for i, (factor, window) in enumerate(((1, 2), (2, 2), (2, 1)), 1):
            width = self.width * factor
            x = layers.Conv(width, 3, padding=1, dtype=self.dtype, name=f'conv_{i}')(x)
            x = _normalise(self.norm, i, x, train, domain)
            x = taps[f'conv_{i}'] = nn.relu(ops.max_pool(x, window))
        return layers.flatten(x), taps


def _normalise(norm, i, x, train, domain):
    return x if norm is None else norm(name=f'norm_{i}')(x, train=train, domain=domain)
