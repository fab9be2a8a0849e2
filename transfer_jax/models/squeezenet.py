"""SqueezeNet 1.1, a network with few parameters and no norm."""

import functools

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.types import Array

# (number, channels of the squeeze, channels of each of the two expansions)
FIRES = (
    (2, 16, 64),
    (3, 16, 64),
    (4, 32, 128),
    (5, 32, 128),
    (6, 48, 192),
    (7, 48, 192),
    (8, 64, 256),
    (9, 64, 256),
)


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1 (Iandola et al. 2016, arXiv:1602.07360), as in torchvision.

    Layers: conv1, pool1, fire2, fire3, pool3, fire4, fire5, pool5, fire6 ... fire9,
    logits. 'logits' is dropout, a rectified 1x1 convolution and the average over the
    map; with classes=0 the last layer is 'average', of fire9's 512 channels. 1,235,496
    parameters with 1000 classes. See models/__init__.py for the common attributes.

    Attributes:
      output_stride: pixels of the image per position of the last map: 16 or 8. For 8,
        pool5 has stride 1 and the 3x3 convolutions above it are dilated. With the same
        parameters, every second position of the larger map equals the smaller map.
    """

    classes: int = 1000
    start_after: str = ''
    end_at: str = ''
    norm: layers.Norm = None
    dropout: float = 0.5
    dtype: jnp.dtype = jnp.float32
    relu: layers.Activation = nn.relu
    output_stride: int = 16

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        if self.output_stride not in (8, 16):
            raise ValueError(f'output_stride={self.output_stride} is not 8 or 16')
        parts = {'norm': self.norm, 'dtype': self.dtype}
        unit = functools.partial(layers.Unit, activate=self.relu, **parts)
        pool = functools.partial(ops.max_pool, window=3, stride=2, ceil=True)

        def logits(x):
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
            head = unit(self.classes, 1, norm=None, name='logits')
            return layers.average(head(x, train=train))

        steps = [('conv1', unit(64, 3, stride=2, name='conv1')), ('pool1', pool)]
        for number, narrow, wide in FIRES:
            name = f'fire{number}'
            dilation = 2 if number > 5 and self.output_stride == 8 else 1
            fire = Fire(narrow, wide, dilation, relu=self.relu, **parts, name=name)
            steps.append((name, fire))
            if number in (3, 5):
                dense = number == 5 and self.output_stride == 8
                steps.append((f'pool{number}', _dense_pool if dense else pool))
        last = ('logits', logits) if self.classes else ('average', layers.average)
        return layers.run(
            [*steps, last], x, self.start_after, self.end_at, train=train, domain=domain
        )


class Fire(nn.Module):
    """1x1 squeeze, then parallel 1x1 and 3x3 expansions: 2 `wide` channels."""

    narrow: int
    wide: int
    dilation: int = 1  # of the 3x3
    norm: layers.Norm = None
    dtype: jnp.dtype = jnp.float32
    relu: layers.Activation = nn.relu

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        unit = functools.partial(
            layers.Unit, norm=self.norm, dtype=self.dtype, activate=self.relu
        )
        call = {'train': train, 'domain': domain}
        x = unit(self.narrow, 1, name='squeeze')(x, **call)
        one = unit(self.wide, 1, name='expand1x1')(x, **call)
        dilated = {'padding': self.dilation, 'dilation': self.dilation}
        three = unit(self.wide, 3, **dilated, name='expand3x3')(x, **call)
        return jnp.concatenate([one, three], -1)


def _dense_pool(x: Array) -> Array:
    """The pool at stride 1: its entry 2i is entry i of the pool at stride 2."""
    sides = [(0, 1 - size % 2) for size in x.shape[1:3]]
    x = jnp.pad(x, ((0, 0), *sides, (0, 0)), constant_values=-jnp.inf)
    return ops.max_pool(x, 3, 1)
