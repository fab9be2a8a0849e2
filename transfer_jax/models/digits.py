"""Encoders of the digit and sign experiments: Ganin's three, and LeNet as in ADDA.

All are a `ConvNet` of rows. It takes images (n, h, w, c) and returns (features (n, d),
named intermediates). The functions take its `norm` and `dtype`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.types import Array


class Row(NamedTuple):
    """A convolution, its norm, a max pool and ReLU."""

    features: int
    window: int  # of the convolution
    padding: int = 0
    pool: int = 1  # window of the pool; 1: no pool
    stride: int | None = None  # of the pool; None: its window


class ConvNet(nn.Module):
    """Rows conv_1, conv_2, ... and at most one dense layer with ReLU on top.

    Every layer has a stable name, for masks and checkpoints: conv_i with norm_i, and
    'dense', whose norm has the number after the rows'. The pooled activations are
    rectified after pooling, which is the same function and four times less work.

    Attributes:
      rows: of the convolutions, the lowest first.
      norm: builds the norm layer after each convolution and the dense layer,
        norm(name=...); None leaves it out, as the papers do.
      dtype: of the computation; parameters are float32.
      dense: features of the dense layer; 0: none.
    """

    rows: Sequence[Row]
    norm: layers.Norm = None
    dtype: jnp.dtype = jnp.float32
    dense: int = 0

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        def normalise(x, i):
            if self.norm is None:
                return x
            return self.norm(name=f'norm_{i}')(x, train=train, domain=domain)

        taps = {}
        for i, row in enumerate(self.rows, 1):
            x = layers.Conv(
                row.features,
                row.window,
                padding=row.padding,
                dtype=self.dtype,
                name=f'conv_{i}',
            )(x)
            x = ops.max_pool(normalise(x, i), row.pool, row.stride)
            x = taps[f'conv_{i}'] = nn.relu(x)
        x = layers.flatten(x)
        if self.dense:
            x = nn.Dense(self.dense, dtype=self.dtype, name='dense')(x)
            x = taps['dense'] = nn.relu(normalise(x, len(self.rows) + 1))
        return x, taps


def GaninMnist(norm: layers.Norm = None, dtype: jnp.dtype = jnp.float32) -> ConvNet:
    """Figure 4a of Ganin & Lempitsky (2015): 28x28 -> 768 features.

    conv 5x5 32, pool 2, conv 5x5 48, pool 2. The classifier on it is
    heads.Classifier(10, (100, 100)), the discriminator heads.Discriminator((100,)).
    """
    rows = (Row(32, 5, pool=2), Row(48, 5, pool=2))
    return ConvNet(rows, norm, dtype)


def GaninSvhn(norm: layers.Norm = None, dtype: jnp.dtype = jnp.float32) -> ConvNet:
    """Figure 4b of Ganin & Lempitsky (2015): 32x32 -> 6272 features.

    conv 5x5 64, pool 3 stride 2, conv 5x5 64, pool 3 stride 2, conv 5x5 128. The
    classifier is heads.Classifier(10, (3072, 2048), dropout), the discriminator
    heads.Discriminator((1024, 1024)).

    Deviation: the paper does not print the padding. Without padding the last 5x5 does
    not fit, so it is 2 here.
    """
    rows = (
        Row(64, 5, padding=2, pool=3, stride=2),
        Row(64, 5, padding=2, pool=3, stride=2),
        Row(128, 5, padding=2),
    )
    return ConvNet(rows, norm, dtype)


def GaninSigns(norm: layers.Norm = None, dtype: jnp.dtype = jnp.float32) -> ConvNet:
    """Figure 4c of Ganin & Lempitsky (2015): 40x40 -> 1024 features.

    conv 5x5 96, pool 2, conv 3x3 144, pool 2, conv 5x5 256, pool 2. The classifier is
    heads.Classifier(43, (512,)), the discriminator heads.Discriminator((1024, 1024)).
    """
    rows = (Row(96, 5, pool=2), Row(144, 3, pool=2), Row(256, 5, pool=2))
    return ConvNet(rows, norm, dtype)


def LeNet(norm: layers.Norm = None, dtype: jnp.dtype = jnp.float32) -> ConvNet:
    """LeNet as used by ADDA (Tzeng et al. 2017): 28x28 -> 500 features.

    conv 5x5 20, pool 2, conv 5x5 50, pool 2, dense 500.
    """
    rows = (Row(20, 5, pool=2), Row(50, 5, pool=2))
    return ConvNet(rows, norm, dtype, dense=500)


def SmallNet(
    width: int = 16, norm: layers.Norm = None, dtype: jnp.dtype = jnp.float32
) -> ConvNet:
    """Three 3x3 convolutions, for small images and quick runs.

    conv 3x3 w, pool 2, conv 3x3 2w, pool 2, conv 3x3 2w: 16x16 -> 512 features at w 16.

    Args:
      width: w, the channels of the first layer.
    """
    rows = (
        Row(width, 3, padding=1, pool=2),
        Row(2 * width, 3, padding=1, pool=2),
        Row(2 * width, 3, padding=1),
    )
    return ConvNet(rows, norm, dtype)
