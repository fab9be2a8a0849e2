"""ResNets for ImageNet, optionally with larger maps by dilated convolutions."""

import functools

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.models.norm import BatchNorm
from transfer_jax.types import Array

# {depth: (blocks of each stage, whether a block has three convolutions, not two)}
DEPTHS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
}


class ResNet(nn.Module):
    """ResNet-18, 34, 50 and 101 (He et al. 2016, arXiv:1512.03385), as in torchvision.

    Layers: conv1, pool1, block1_1 ... block4_3 (stage and number within it), average,
    logits. The stride of a bottleneck block is in the 3x3 convolution; in the paper it
    is in the first 1x1. See models/__init__.py for the common attributes.

    Attributes:
      depth: 18, 34, 50 or 101.
      output_stride: pixels of the image per position of the last map: 32, 16 or 8. For
        16 and 8 the last one or two stages are dilated instead of strided (Yu et al.
        2017, arXiv:1705.09914). With the same parameters, every second or fourth
        position of the larger map equals the smaller map.
      remat: recompute each block in the backward pass, see layers.run.
    """

    classes: int = 1000
    start_after: str = ''
    end_at: str = ''
    norm: layers.Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32
    depth: int = 50
    output_stride: int = 32
    dropout: float = 0.0
    remat: bool = False

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        if self.depth not in DEPTHS:
            raise ValueError(f'depth={self.depth}: choose from {list(DEPTHS)}')
        if self.output_stride not in (8, 16, 32):
            raise ValueError(f'output_stride={self.output_stride} is not 8, 16 or 32')
        stages, three = DEPTHS[self.depth]
        unit = functools.partial(
            layers.Unit, norm=self.norm, dtype=self.dtype, use_xla=True
        )
        pool = functools.partial(ops.max_pool, window=3, stride=2, padding=1)
        first = unit(64, 7, stride=2, padding=3, name='conv1')
        steps, total_stride, dilation = [('conv1', first), ('pool1', pool)], 4, 1
        for stage, blocks in enumerate(stages, 1):
            stride, previous = 1 if stage == 1 else 2, dilation
            if total_stride * stride > self.output_stride:
                stride, dilation = 1, 2 * dilation
            total_stride *= stride
            for i in range(blocks):
                name = f'block{stage}_{i + 1}'
                block = Block(
                    64 * 2 ** (stage - 1),
                    three=three,
                    stride=1 if i else stride,
                    dilation=dilation,
                    entry_dilation=dilation if i else previous,
                    norm=self.norm,
                    dtype=self.dtype,
                    name=name,
                )
                steps.append((name, block))
        steps += layers.classifier(self.classes, self.dropout, self.dtype, train)
        return layers.run(
            steps,
            x,
            self.start_after,
            self.end_at,
            train=train,
            domain=domain,
            remat=self.remat,
        )


class Block(nn.Module):
    """relu(shortcut + residual), where the residual has two or three convolutions.

    Attributes:
      channels: channels of the 3x3 convolutions; with `three` the output has four times
        as many.
      entry_dilation: dilation of the 3x3 convolution that has the stride, if one has.
      early: the stride of three convolutions is in the first 1x1, as in the paper and
        Caffe's files, not in the 3x3.
      pad: the shortcut takes every stride-th position and adds channels of zeros on
        both sides (option A of the paper). Otherwise it is a 1x1 convolution with norm
        if the shapes differ (option B).
    """

    channels: int
    three: bool = False
    stride: int = 1
    dilation: int = 1
    entry_dilation: int = 1
    early: bool = False
    pad: bool = False
    norm: layers.Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        unit = functools.partial(
            layers.Unit, norm=self.norm, dtype=self.dtype, use_xla=True
        )
        call = {'train': train, 'domain': domain}
        early = self.stride if self.early else 1
        entry = {'stride': self.stride // early, 'padding': self.entry_dilation}
        entry['dilation'] = self.entry_dilation
        width = 4 * self.channels if self.three else self.channels
        if self.three:
            y = unit(self.channels, 1, early, name='conv1')(x, **call)
            y = unit(self.channels, 3, **entry, name='conv2')(y, **call)
            y = unit(width, 1, activate=None, name='conv3')(y, **call)
        else:
            second = {'padding': self.dilation, 'dilation': self.dilation}
            y = unit(width, 3, **entry, name='conv1')(x, **call)
            y = unit(width, 3, **second, activate=None, name='conv2')(y, **call)
        if self.pad:
            added = width - x.shape[-1]
            x = x[:, :: self.stride, :: self.stride]
            x = jnp.pad(x, ((0, 0),) * 3 + ((added // 2, added - added // 2),))
        elif self.stride > 1 or x.shape[-1] != width:
            shortcut = unit(width, 1, self.stride, activate=None, name='shortcut')
            x = shortcut(x, **call)
        return nn.relu(x + y)
