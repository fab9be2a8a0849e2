"""ConvNeXt, a convolutional network built like a transformer."""

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax.models import layers
from transfer_jax.types import Array

STAGES = ((3, 96), (3, 192), (9, 384), (3, 768))  # (blocks, channels) of ConvNeXt-T


class ConvNeXt(nn.Module):
    """ConvNeXt-T (Liu et al., CVPR 2022, arXiv:2201.03545).

    Layers: stem, block1_1 ... block1_3, down2, block2_1 ... block4_3 (stage and number
    within it), average, norm, logits. 28,589,128 parameters with 1000 classes. 'downN'
    halves the sides before stage N. 'norm' normalises the averaged vector; with
    classes=0 it is the output. See models/__init__.py for the common attributes.

    There is no attribute `norm`: layer norms do not depend on the batch, so no norm
    policy of domains applies. Stochastic depth, which is used in training only, is left
    out.

    Attributes:
      epsilon: of the layer norms.
      layer_scale: initial value of the scale of each block's residual.
    """

    classes: int = 1000
    start_after: str = ''
    end_at: str = ''
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32
    epsilon: float = 1e-6
    layer_scale: float = 1e-6

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        steps = []
        for stage, (blocks, channels) in enumerate(STAGES, 1):
            name = 'stem' if stage == 1 else f'down{stage}'
            down = Downsample(
                channels, self.epsilon, self.dtype, stem=stage == 1, name=name
            )
            steps.append((name, down))
            for i in range(1, blocks + 1):
                name = f'block{stage}_{i}'
                block = Block(self.epsilon, self.layer_scale, self.dtype, name=name)
                steps.append((name, block))

        def norm(x):
            return layers.LayerNorm(self.epsilon, name='norm')(x)

        head = layers.classifier(self.classes, self.dropout, self.dtype, train)
        steps += [head[0], ('norm', norm), *head[1:]]
        return layers.run(
            steps, x, self.start_after, self.end_at, train=train, domain=domain
        )


class Downsample(nn.Module):
    """Norm and 2x2 convolution of stride 2; the stem: 4x4 of stride 4, then norm."""

    channels: int
    epsilon: float
    dtype: jnp.dtype
    stem: bool = False

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        norm = layers.LayerNorm(self.epsilon, name='norm')
        window = 4 if self.stem else 2
        conv = layers.Conv(
            self.channels,
            window,
            window,
            dtype=self.dtype,
            kernel_init=_INIT,
            name='conv',
        )
        return norm(conv(x)) if self.stem else conv(norm(x))


class Block(nn.Module):
    """x + scale f(x), where f is a 7x7 depthwise convolution, norm, and an MLP."""

    epsilon: float
    layer_scale: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        c = x.shape[-1]
        y = layers.Conv(
            c,
            7,
            padding=3,
            dtype=self.dtype,
            groups=c,
            kernel_init=_INIT,
            name='depthwise',
        )(x)
        y = layers.LayerNorm(self.epsilon, name='norm')(y)
        y = nn.Dense(4 * c, dtype=self.dtype, kernel_init=_INIT, name='expand')(y)
        y = layers.gelu(y)
        y = nn.Dense(c, dtype=self.dtype, kernel_init=_INIT, name='project')(y)
        start = nn.initializers.constant(self.layer_scale)
        return x + y * self.param('scale', start, (c,)).astype(y.dtype)


_INIT = nn.initializers.truncated_normal(0.02)
