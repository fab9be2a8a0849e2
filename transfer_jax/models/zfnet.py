"""The network of Zeiler and Fergus: AlexNet with a finer first layer."""

import functools

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.types import Array

MAP = 6  # side of the map that fc6 reads
# (number, channels, window, stride, padding, whether a pool follows)
CONVOLUTIONS = (
    (1, 96, 7, 2, 1, True),
    (2, 256, 5, 2, 0, True),
    (3, 384, 3, 1, 1, False),
    (4, 384, 3, 1, 1, False),
    (5, 256, 3, 1, 1, True),
)


class ZFNet(nn.Module):
    """The ZF net (Zeiler & Fergus, ECCV 2014, arXiv:1311.2901, figure 3).

    Layers: conv1, pool1, conv2, pool2, conv3, conv4, conv5, pool5, fc6, fc7, logits.
    62,357,608 parameters with 1000 classes. The maps have the published sides: for an
    image of 224 pixels 110, 55, 26, 13 and 6; the pools (3x3, stride 2) keep a last
    window that is partly outside, as Caffe's do. Deviation: the contrast normalisation
    after the first two pools is left out, as in our AlexNet. See models/__init__.py for
    the common attributes.

    Attributes:
      hidden, convolutional: as in AlexNet.
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
        pool = functools.partial(ops.max_pool, window=3, stride=2, ceil=True)
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
            dropouts=(0.0, self.dropout, self.dropout),
            relu=self.relu,
            dtype=self.dtype,
            train=train,
        )
        return layers.run(
            steps, x, self.start_after, self.end_at, train=train, domain=domain
        )
