"""VGG with 16 and 19 layers."""

import functools

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.types import Array

MAP = 7  # side of the map that fc6 reads
CHANNELS = (64, 128, 256, 512, 512)
DEPTHS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # convolutions of each stage


class VGG(nn.Module):
    """VGG-16 and VGG-19 (Simonyan & Zisserman 2015, arXiv:1409.1556).

    Layers: conv1_1, conv1_2, pool1, ..., conv5_3 (or conv5_4), pool5, fc6, fc7, logits.
    138,357,544 and 143,667,240 parameters with 1000 classes. See models/__init__.py for
    the common attributes.

    Attributes:
      depth: 16 or 19.
      hidden, convolutional: as in AlexNet; the map that fc6 reads is 7x7.
    """

    classes: int = 1000
    start_after: str = ''
    end_at: str = ''
    norm: layers.Norm = None
    dropout: float = 0.5
    dtype: jnp.dtype = jnp.float32
    relu: layers.Activation = nn.relu
    depth: int = 16
    hidden: int = 4096
    convolutional: bool = False

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        if self.depth not in DEPTHS:
            raise ValueError(f'depth={self.depth}: choose from {list(DEPTHS)}')
        unit = functools.partial(
            layers.Unit,
            norm=self.norm,
            activate=self.relu,
            use_xla=True,
            dtype=self.dtype,
        )
        pool = functools.partial(ops.max_pool, window=2)
        steps = []
        for stage, (channels, count) in enumerate(
            zip(CHANNELS, DEPTHS[self.depth], strict=True), 1
        ):
            for i in range(1, count + 1):
                name = f'conv{stage}_{i}'
                steps.append((name, unit(channels, 3, padding=1, name=name)))
            steps.append((f'pool{stage}', pool))
        steps += layers.three_dense(
            self.classes,
            self.hidden,
            side=MAP,
            convolutional=self.convolutional,
            dropouts=(0.0, self.dropout, self.dropout),
            relu=self.relu,
            dtype=self.dtype,
            train=train,
        )
        return layers.run(
            steps, x, self.start_after, self.end_at, train=train, domain=domain
        )
