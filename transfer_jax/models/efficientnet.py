"""EfficientNet-B0: inverted residuals with squeeze and excitation."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax.models import layers
from transfer_jax.models.norm import BatchNorm
from transfer_jax.types import Array

# Table 1 of the paper: (expansion, window, channels, blocks, stride of the first).
STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)


class EfficientNet(nn.Module):
    """EfficientNet-B0 (Tan & Le, ICML 2019, arXiv:1905.11946).

    Layers: conv1, block1 ... block16 (each 'expand', 'depthwise', 'squeeze', 'excite'
    and a linear 'project', the first without 'expand'), conv2, average, logits.
    5,288,548 parameters with 1000 classes. The activation is SiLU. 'squeeze' has a
    quarter of the channels of the block's input. Stochastic depth, which is used in
    training only, is left out. See models/__init__.py for the common attributes.

    Attributes:
      same: pad as TensorFlow's SAME, which Google's weights need; otherwise half the
        window on each side, as torchvision's.
      epsilon: of the batch norm; None is the norm's default, 1e-5 as torchvision's.
        Google's weights need 1e-3.
    """

    classes: int = 1000
    start_after: str = ''
    end_at: str = ''
    norm: layers.Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32
    dropout: float = 0.2
    same: bool = False
    epsilon: float | None = None

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        def unit(features, window, stride=1, **kwargs):
            padding = 'SAME' if self.same else window // 2
            return layers.Unit(features, window, stride, padding, **{**parts, **kwargs})

        parts = {'norm': self.norm, 'epsilon': self.epsilon, 'dtype': self.dtype}
        parts |= {'activate': nn.silu}
        steps = [('conv1', unit(32, 3, stride=2, name='conv1'))]
        for expansion, window, channels, blocks, stride in STAGES:
            for i in range(blocks):
                name = f'block{len(steps)}'
                depthwise = functools.partial(
                    unit, window=window, stride=1 if i else stride
                )
                block = Block(
                    channels, expansion, unit, depthwise, self.dtype, name=name
                )
                steps.append((name, block))
        steps.append(('conv2', unit(1280, 1, name='conv2')))
        steps += layers.classifier(self.classes, self.dropout, self.dtype, train)
        return layers.run(
            steps, x, self.start_after, self.end_at, train=train, domain=domain
        )


class Block(nn.Module):
    """1x1 up, depthwise, channels weighted, linear 1x1 down; plus x if shapes agree.

    The weights of the channels are sigmoid(excite(silu(squeeze(average(x))))): Hu et
    al., CVPR 2018.

    Attributes:
      unit: unit(features, window, ...) builds a padded layers.Unit.
      depthwise: the same with the window and stride of the depthwise convolution.
    """

    channels: int
    expansion: int
    unit: Callable[..., Any]
    depthwise: Callable[..., Any]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        call = {'train': train, 'domain': domain}
        shortcut, inner = x, x.shape[-1] * self.expansion
        if self.expansion > 1:
            x = self.unit(inner, 1, name='expand')(x, **call)
        x = self.depthwise(inner, groups=inner, name='depthwise')(x, **call)
        narrow = shortcut.shape[-1] // 4
        w = x.astype(jnp.float32).mean((1, 2), keepdims=True).astype(x.dtype)
        w = layers.Conv(narrow, 1, dtype=self.dtype, name='squeeze')(w)
        w = layers.Conv(inner, 1, dtype=self.dtype, name='excite')(nn.silu(w))
        x = x * nn.sigmoid(w)
        x = self.unit(self.channels, 1, activate=None, name='project')(x, **call)
        return x + shortcut if x.shape == shortcut.shape else x
