"""ResNets for CIFAR: three stages of 16, 32 and 64 channels."""

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax.models import layers, resnet
from transfer_jax.models.norm import BatchNorm
from transfer_jax.types import Array


class CifarResNet(nn.Module):
    """ResNet-20, 32, 44, 56, 110 for 32x32 images (He et al. 2016, section 4.2).

    Layers: conv1, block1_1 ... block3_n (stage and number within it), average, logits.
    The shortcuts have no parameters (option A). See models/__init__.py for the common
    attributes.

    Attributes:
      depth: 6 n + 2.
      remat: recompute each block in the backward pass, see layers.run.
    """

    classes: int = 10
    start_after: str = ''
    end_at: str = ''
    norm: layers.Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32
    depth: int = 20
    dropout: float = 0.0
    remat: bool = False

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        if self.depth % 6 != 2 or self.depth < 8:
            raise ValueError(f'depth={self.depth} is not 6 n + 2: 20, 32, 44, 56, ...')
        parts = {'norm': self.norm, 'dtype': self.dtype}
        first = layers.Unit(16, 3, padding=1, **parts, use_xla=True, name='conv1')
        steps = [('conv1', first)]
        for stage in (1, 2, 3):
            for i in range((self.depth - 2) // 6):
                name = f'block{stage}_{i + 1}'
                stride = 2 if stage > 1 and i == 0 else 1
                channels = 16 * 2 ** (stage - 1)
                block = resnet.Block(
                    channels, stride=stride, pad=True, **parts, name=name
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
