"""DeepLab-v2: a dilated ResNet-101 and parallel dilated classifiers."""

import functools
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import ops
from transfer_jax.models import layers, resnet
from transfer_jax.models.norm import BatchNorm
from transfer_jax.types import Array

RATES = (6, 12, 18, 24)  # dilations of ASPP-L, the large field of view


class DeepLab(nn.Module):
    """DeepLab-v2 with ResNet-101 (Chen et al., TPAMI 2018, arXiv:1606.00915).

    As in the code of AdaptSegNet (Tsai et al., CVPR 2018) and ADVENT (Vu et al., CVPR
    2019): one scale of the image, no CRF. Called with images (n, h, w, 3), it returns
    logits (n, h, w, classes) and the activations of the layers conv1, pool1, block1_1
    ... block4_3, scores. 'scores' are the logits before their interpolation: the sum of
    four 3x3 convolutions at RATES, one score per 8 pixels of the image. With classes=0
    the output is the map block4_3 (n, h', w', 2048); after `start_after` it is the
    scores, because the size of the image is unknown.

    The network comes from Caffe and differs from torchvision's ResNet-101: the stride
    of a block is in its first 1x1 convolution, the pool keeps a last window that is
    partly outside, and the first block of the dilated stages 3 and 4 is dilated by 2
    and 4 as the others are. The published weights read blue, green, red in [0, 255]
    minus (104.00698793, 116.66876762, 122.67891434); to feed red, green, blue, reverse
    the input channels of the kernel of conv1.

    Batch norm uses its running statistics in training too, as the paper does. Its scale
    and shift are fixed there; freeze them by the optimiser, with the rule
    '.*/norm/.*'.

    Attributes:
      auxiliary: a second classifier of the same form reads the map of stage 3; its
        scores are the activation 'auxiliary' (n, h', w', classes). `enlarge` brings
        them to the size of the image.
      classes, start_after, end_at, norm, dtype: see models/__init__.py.
      remat: recompute each block in the backward pass, see layers.run.
    """

    classes: int = 19
    start_after: str = ''
    end_at: str = ''
    norm: layers.Norm = functools.partial(BatchNorm, frozen=True)
    dtype: jnp.dtype = jnp.float32
    auxiliary: bool = False
    remat: bool = False

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        parts = {'norm': self.norm, 'dtype': self.dtype}
        first = layers.Unit(
            64, 7, stride=2, padding=3, use_xla=True, **parts, name='conv1'
        )
        pool = functools.partial(ops.max_pool, window=3, stride=2, padding=1, ceil=True)
        steps = [('conv1', first), ('pool1', pool)]
        blocks, three = resnet.DEPTHS[101]
        for stage, count in enumerate(blocks, 1):
            dilation = {3: 2, 4: 4}.get(stage, 1)
            for i in range(count):
                name = f'block{stage}_{i + 1}'
                block = resnet.Block(
                    64 * 2 ** (stage - 1),
                    three=three,
                    stride=2 if stage == 2 and i == 0 else 1,
                    dilation=dilation,
                    entry_dilation=dilation,
                    early=True,
                    **parts,
                    name=name,
                )
                steps.append((name, block))
        if self.classes:
            scores = Pyramid(self.classes, self.dtype, name='scores')
            steps.append(('scores', scores))
        y, taps = layers.run(
            steps,
            x,
            self.start_after,
            self.end_at,
            train=train,
            domain=domain,
            remat=self.remat,
        )
        third = f'block3_{blocks[2]}'
        if self.auxiliary and third in taps:
            pyramid = Pyramid(self.classes, self.dtype, name='auxiliary')
            taps['auxiliary'] = pyramid(taps[third], train=train)
        if 'scores' in taps and not self.start_after and not self.end_at:
            y = enlarge(y, x.shape[1:3])
        return y, taps


class Pyramid(nn.Module):
    """Atrous spatial pyramid pooling: the sum of 3x3 convolutions at several rates."""

    classes: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        return sum(
            layers.Conv(
                self.classes,
                3,
                padding=rate,
                dilation=rate,
                dtype=self.dtype,
                use_xla=True,
                kernel_init=nn.initializers.normal(0.01),
                name=f'rate{rate}',
            )(x)
            for rate in RATES
        )


def enlarge(maps: Array, size: Sequence[int]) -> Array:
    """Bilinear interpolation (n, h, w, c) -> (n, *size, c) that aligns the corners.

    The centres of the corner positions fall on those of the corner pixels, as in
    PyTorch with align_corners=True: position p of an axis is pixel p (s - 1) / (h - 1).
    """
    rows, columns = map(_weights, maps.shape[1:3], size)
    maps = maps.astype(jnp.float32)
    highest = jax.lax.Precision.HIGHEST
    return jnp.einsum('nhwc,yh,xw->nyxc', maps, rows, columns, precision=highest)


def _weights(before: int, after: int) -> np.ndarray:
    """Weights (after, before) of linear interpolation along an axis."""
    at = np.linspace(0, before - 1, after)[:, None]
    return np.maximum(0, 1 - np.abs(at - np.arange(before))).astype(np.float32)
