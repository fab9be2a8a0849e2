"""AlexNet as in torchvision."""

import functools

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.types import Array

MAP = 6  # side of the map that fc6 reads
# (number, channels, window, stride, padding, whether a pool follows)
CONVOLUTIONS = (
    (1, 64, 11, 4, 2, True),
    (2, 192, 5, 1, 2, True),
    (3, 384, 3, 1, 1, False),
    (4, 256, 3, 1, 1, False),
    (5, 256, 3, 1, 1, True),
)


class AlexNet(nn.Module):
    """AlexNet on one device (Krizhevsky 2014, arXiv:1404.5997), as in torchvision.

    Layers: conv1, pool1, conv2, pool2, conv3, conv4, conv5, pool5, fc6, fc7, logits.
    61,100,840 parameters with 1000 classes. See models/__init__.py for the common
    attributes.

    Attributes:
      hidden: width of fc6 and fc7.
      convolutional: make fc6, fc7 and logits convolutions. The output is then a map
        (n, h, w, classes), 1x1 for images of 224 pixels. weights.as_convolutions
        converts the parameters of the dense form. The dense form takes any size of
        image, because it averages pool5 over 6x6 parts.
    """

    classes: int = 1000
    start_after: str = ''
    end_at: str = ''
    norm: layers.Norm = None
    dropout: float = 0.5
    dtype: jnp.dtype = jnp.float32
    relu: layers.Activation = nn.relu
    hidden: int = 4096
    convolutional: bool = False

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        unit = functools.partial(
            layers.Unit,
            norm=self.norm,
            activate=self.relu,
            use_xla=True,
            dtype=self.dtype,
        )
        pool = functools.partial(ops.max_pool, window=3, stride=2)
        steps = []
        for number, channels, *sizes, pooled in CONVOLUTIONS:
            name = f'conv{number}'
            steps.append((name, unit(channels, *sizes, name=name)))
            if pooled:
                steps.append((f'pool{number}', pool))
        steps += layers.three_dense(
            self.classes,
            self.hidden,
            side=MAP,
            convolutional=self.convolutional,
            dropouts=(self.dropout, self.dropout, 0.0),
            relu=self.relu,
            dtype=self.dtype,
            train=train,
        )
        return layers.run(
            steps, x, self.start_after, self.end_at, train=train, domain=domain
        )
