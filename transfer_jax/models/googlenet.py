"""GoogLeNet with batch normalisation."""

import functools

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.models.norm import BatchNorm
from transfer_jax.types import Array

# {block: channels of the 1x1 branch; of the 1x1 and the 3x3 in the second branch; the
# same in the third branch; of the 1x1 after the pool}
INCEPTIONS = {
    '3a': (64, 96, 128, 16, 32, 32),
    '3b': (128, 128, 192, 32, 96, 64),
    '4a': (192, 96, 208, 16, 48, 64),
    '4b': (160, 112, 224, 24, 64, 64),
    '4c': (128, 128, 256, 24, 64, 64),
    '4d': (112, 144, 288, 32, 64, 64),
    '4e': (256, 160, 320, 32, 128, 128),
    '5a': (256, 160, 320, 32, 128, 128),
    '5b': (384, 192, 384, 48, 128, 128),
}


class GoogLeNet(nn.Module):
    """GoogLeNet (Szegedy et al. 2015, arXiv:1409.4842), as in torchvision.

    Layers: conv1, pool1, conv2, conv3, pool2, inception3a, inception3b, pool3,
    inception4a ... inception4e, pool4, inception5a, inception5b, average, logits.
    Differences from the paper: it has batch normalisation, the third branch has a 3x3
    instead of a 5x5 convolution, the fourth pool is 2x2, and the auxiliary classifiers
    are left out. See models/__init__.py for the common attributes.
    """

    classes: int = 1000
    start_after: str = ''
    end_at: str = ''
    norm: layers.Norm = BatchNorm
    dropout: float = 0.2
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        unit = functools.partial(
            layers.Unit, norm=self.norm, epsilon=1e-3, dtype=self.dtype, use_xla=True
        )
        pool = functools.partial(ops.max_pool, window=3, stride=2, ceil=True)
        steps = [
            ('conv1', unit(64, 7, stride=2, padding=3, name='conv1')),
            ('pool1', pool),
            ('conv2', unit(64, 1, name='conv2')),
            ('conv3', unit(192, 3, padding=1, name='conv3')),
            ('pool2', pool),
        ]
        pools = {'3b': pool, '4e': functools.partial(pool, window=2)}
        for block, channels in INCEPTIONS.items():
            name = f'inception{block}'
            steps.append((name, Inception(channels, self.norm, self.dtype, name=name)))
            if block in pools:
                steps.append((f'pool{block[0]}', pools[block]))
        steps += layers.classifier(self.classes, self.dropout, self.dtype, train)
        return layers.run(
            steps, x, self.start_after, self.end_at, train=train, domain=domain
        )


class Inception(nn.Module):
    """Four parallel branches: 1x1; 1x1 and 3x3; 1x1 and 3x3; pool and 1x1."""

    channels: tuple[int, ...]
    norm: layers.Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        one, before_two, two, before_three, three, pooled = self.channels

        def unit(x, features, window, name):
            layer = layers.Unit(
                features,
                window,
                padding=window // 2,
                norm=self.norm,
                epsilon=1e-3,
                dtype=self.dtype,
                use_xla=True,
                name=name,
            )
            return layer(x, train=train, domain=domain)

        first = unit(x, one, 1, 'branch1')
        second = unit(unit(x, before_two, 1, 'branch2_1'), two, 3, 'branch2_2')
        third = unit(unit(x, before_three, 1, 'branch3_1'), three, 3, 'branch3_2')
        fourth = unit(ops.max_pool(x, 3, 1, padding=1), pooled, 1, 'branch4')
        return jnp.concatenate([first, second, third, fourth], -1)
