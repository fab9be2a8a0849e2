"""Fully convolutional networks for segmentation (Long et al., CVPR 2015)."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.models import layers
from transfer_jax.types import Array


class FCN(nn.Module):
    """A backbone, scores of its last map, and skips from finer maps: FCN-32s, 16s, 8s.

    The scores of the last map are upsampled by 2 and added to the scores of the first
    skip. The sum is upsampled and added to the scores of the next skip, and so on; the
    last sum is interpolated to the size of the image. Upsampling by 2 is learned and
    starts as bilinear interpolation; the last interpolation is fixed and bilinear.
    Scores start as 0 (section 4.3 and its footnote on initialisation). Without skips it
    is FCN-32s of a backbone with stride 32.

    Called with images; returns (logits (n, h, w, classes), {'scores': the last sum}).
    Parameters: 'backbone/...', 'score/...', 'score_SKIP/...', 'up_SKIP/kernel'.

    Attributes:
      backbone: a network cut at its last map; it returns the map and {layer:
        activation}.
      skips: names of layers, the coarsest first; each has twice the side of the layer
        before it.
    """

    backbone: nn.Module
    classes: int
    skips: Sequence[str] = ()

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        height, width = x.shape[1:3]
        features, taps = self.backbone(x, train=train, domain=domain)
        if features.ndim != 4 or min(features.shape[1:3]) < 1:
            raise ValueError(
                f'images of {height}x{width} give a map {features.shape[1:]} of the '
                'backbone: use larger images, or cut it before its average pool'
            )
        scores = self._score(features, 'score')
        for name in self.skips:
            if name not in taps:
                raise ValueError(f'no layer {name!r}; there are: {", ".join(taps)}')
            fine = self._score(taps[name].astype(jnp.float32), f'score_{name}')
            scores = _fit(self._double(scores, f'up_{name}'), fine.shape[1:3]) + fine
        shape = (x.shape[0], height, width, self.classes)
        return jax.image.resize(scores, shape, 'bilinear'), {'scores': scores}

    def _score(self, x: Array, name: str) -> Array:
        zeros = nn.initializers.zeros
        return layers.Conv(self.classes, 1, kernel_init=zeros, name=name)(x)

    def _double(self, scores: Array, name: str) -> Array:
        return nn.ConvTranspose(
            self.classes,
            (4, 4),
            (2, 2),
            use_bias=False,
            kernel_init=_bilinear,
            name=name,
        )(scores)


def _bilinear(key, shape, dtype=jnp.float32):
    """Kernel (4, 4, c, c) that interpolates each class separately."""
    del key
    line = np.array([0.25, 0.75, 0.75, 0.25])
    each = np.eye(shape[2], shape[3])
    return jnp.asarray(np.einsum('i,j,cd->ijcd', line, line, each), dtype)


def _fit(scores: Array, size: tuple[int, int]) -> Array:
    """Cut the map at the right and bottom, or repeat its last row and column."""
    missing = np.subtract(size, scores.shape[1:3]).clip(0)
    if missing.any():
        around = ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0))
        scores = jnp.pad(scores, around, mode='edge')
    return scores[:, : size[0], : size[1]]
