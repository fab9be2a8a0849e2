"""Weights drawn from a seed and a tensor's name, by NumPy only.

`tools.golden` fills the PyTorch references with them, `golden_test` our networks, so
neither needs the other's library and no file of weights is kept.
"""

import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

TOKENS = ('cls_token', 'pos_embed', 'class_embedding', 'positional_embedding')


def tensor(seed: int, name: str, shape: Sequence[int], gain: float) -> np.ndarray:
    """A tensor of a checkpoint, drawn by the kind that its name implies.

    Kernels (O, I, ...) of PyTorch or (..., I, O) of Keras have variance 2 / fan-in (He
    et al. 2015), uniform. Scales of norms are in gain [0.75, 1.25], variances in
    [0.5, 1.5], biases and means in [-0.2, 0.2]. Class tokens and positions are in
    [-1, 1], scales of residuals as those of norms.
    """
    shape = tuple(shape)
    kind = name.replace('/', '.').rsplit('.', 1)[-1]
    if kind == 'num_batches_tracked':
        return np.zeros(shape, np.int64)
    rng = np.random.Generator(np.random.SFC64([seed, zlib.crc32(name.encode())]))
    x = rng.random(shape, np.float32)  # [0, 1)
    if kind in TOKENS:
        x = 2 * x - 1
    elif kind == 'layer_scale':  # (c, 1, 1)
        x = gain * (0.75 + 0.5 * x)
    elif len(shape) > 1:
        x -= 0.5
        x *= math.sqrt(24 / _fan_in(kind, shape))
    elif kind in ('running_var', 'moving_variance'):
        x += 0.5
    elif kind in ('weight', 'gamma'):
        x = gain * (0.75 + 0.5 * x)
    else:
        x = 0.4 * x - 0.2
    return x


def tensors(seed: int, shapes: Mapping[str, Sequence[int]], gain: float = 1.0) -> dict:
    """A checkpoint {name: tensor}."""
    return {name: tensor(seed, name, shape, gain) for name, shape in shapes.items()}


def images(seed: int, shape: Sequence[int]) -> np.ndarray:
    """Normalised images (n, h, w, 3): smooth, so that pooling leaves something."""
    n, height, width, channels = shape
    rng = np.random.default_rng([seed, zlib.crc32(b'images')])
    phase, speed, direction = rng.uniform(size=(3, n, 1, 1, channels, 8))
    y = np.linspace(0, 1, height)[:, None, None, None]
    x = np.linspace(0, 1, width)[None, :, None, None]
    angle = 2 * np.pi * direction
    along = np.cos(angle) * y + np.sin(angle) * x
    waves = np.cos(2 * np.pi * (phase + 12 * speed * along))
    return waves.sum(-1).astype(np.float32) / 2


def _fan_in(kind, shape):
    if kind == 'depthwise_kernel':  # HWC1
        return shape[0] * shape[1]
    return math.prod(shape[:-1] if kind == 'kernel' else shape[1:])
