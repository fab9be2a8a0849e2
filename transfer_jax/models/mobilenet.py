"""MobileNets: depthwise and pointwise convolutions, with ReLU6."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax.models import layers
from transfer_jax.models.norm import BatchNorm
from transfer_jax.types import Array

# Version 1: (channels at width 1, stride) of each block.
FIRST = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
# Version 2, table 2 of the paper: (expansion, channels, blocks, stride of the first).
SECOND = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class MobileNetV1(nn.Module):
    """MobileNetV1 (Howard et al. 2017, arXiv:1704.04861).

    Layers: conv1, block1 ... block13 (each 'depthwise' and 'pointwise'), average,
    logits. See models/__init__.py for the common attributes.

    Attributes:
      width: multiplier of the channels.
      same: pad as TensorFlow's SAME, which Google's weights need; otherwise pad one
        pixel on each side. The two differ in layers of stride 2.
    """

    classes: int = 1000
    start_after: str = ''
    end_at: str = ''
    norm: layers.Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32
    width: float = 1.0
    same: bool = True
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        unit = _unit(self.norm, 1e-3, self.same, self.dtype)

        def block(number, channels, stride):
            name = f'block{number}'
            return name, Separable(int(channels * self.width), stride, unit, name=name)

        first = unit(int(32 * self.width), 3, stride=2, name='conv1')
        steps = [('conv1', first)]
        steps += [block(i, *sizes) for i, sizes in enumerate(FIRST, 1)]
        steps += layers.classifier(self.classes, self.dropout, self.dtype, train)
        return layers.run(
            steps, x, self.start_after, self.end_at, train=train, domain=domain
        )


class MobileNetV2(nn.Module):
    """MobileNetV2 at width 1 (Sandler et al. 2018, arXiv:1801.04381).

    Layers: conv1, block1 ... block17 (each 'expand', 'depthwise' and a linear
    'project', the first without 'expand'), conv2, average, logits. 3,504,872
    parameters with 1000 classes. For the attributes see MobileNetV1.
    """

    classes: int = 1000
    start_after: str = ''
    end_at: str = ''
    norm: layers.Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32
    same: bool = True
    dropout: float = 0.2

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        unit = _unit(self.norm, None, self.same, self.dtype)
        steps = [('conv1', unit(32, 3, stride=2, name='conv1'))]
        for expansion, channels, blocks, stride in SECOND:
            for i in range(blocks):
                name = f'block{len(steps)}'
                block = Inverted(
                    channels, expansion, 1 if i else stride, unit, name=name
                )
                steps.append((name, block))
        steps.append(('conv2', unit(1280, 1, name='conv2')))
        steps += layers.classifier(self.classes, self.dropout, self.dtype, train)
        return layers.run(
            steps, x, self.start_after, self.end_at, train=train, domain=domain
        )


class Separable(nn.Module):
    """3x3 depthwise and 1x1 convolution, each with norm and ReLU6."""

    channels: int
    stride: int
    unit: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        call = {'train': train, 'domain': domain}
        inner = x.shape[-1]
        x = self.unit(inner, 3, self.stride, groups=inner, name='depthwise')(x, **call)
        return self.unit(self.channels, 1, name='pointwise')(x, **call)


class Inverted(nn.Module):
    """1x1 up, 3x3 depthwise, linear 1x1 down; plus the input if the shapes agree."""

    channels: int
    expansion: int
    stride: int
    unit: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        call = {'train': train, 'domain': domain}
        shortcut, inner = x, x.shape[-1] * self.expansion
        if self.expansion > 1:
            x = self.unit(inner, 1, name='expand')(x, **call)
        x = self.unit(inner, 3, self.stride, groups=inner, name='depthwise')(x, **call)
        x = self.unit(self.channels, 1, activate=None, name='project')(x, **call)
        return x + shortcut if x.shape == shortcut.shape else x


def _unit(norm, epsilon, same, dtype):
    """A function unit(features, window, ...) that builds a padded layers.Unit."""

    def unit(features, window, stride=1, **kwargs):
        return layers.Unit(
            features,
            window,
            stride,
            'SAME' if same else window // 2,
            **{'activate': nn.relu6, **kwargs},
            norm=norm,
            epsilon=epsilon,
            dtype=dtype,
        )

    return unit
