"""Precision of networks: how products and convolutions of float32 are computed.

| name | NVIDIA GPU | TPU | CPU |
| --- | --- | --- | --- |
| highest | float32 | six passes of bfloat16: float32 | float32 |
| high | TF32 | three passes of bfloat16 | float32 |
| default | TF32 | one pass of bfloat16 | float32 |

TF32 has 10 bits of the 23 of float32, bfloat16 has 7. On GPUs before Ampere, which have
no TF32, all three are float32. Losses, kernels, statistics and geometry are exact with
each of them (ops.full_precision). Networks with dtype bfloat16 are the same with each:
their operands are bfloat16 already.
"""

import jax

CHOICES = ('highest', 'high', 'default')


def check(name: str) -> None:
    """Raises ValueError for a name that is neither '' nor one of CHOICES."""
    if name and name not in CHOICES:
        known = ', '.join(CHOICES)
        raise ValueError(f'no --precision {name!r}; choose from {known}')


def choose(name: str = '') -> None:
    """Sets the precision of everything that this process traces from now on.

    It is set for all threads. For a part of a script: jax.default_matmul_precision.

    Args:
      name: one of CHOICES. '' is what JAX was told before, as by
        $JAX_DEFAULT_MATMUL_PRECISION, else 'highest': with TF32, DANN on MNIST ->
        MNIST-M ended a few points lower, and nothing has shown yet that it is free. On
        CPU nothing is set, because all are the same.

    Raises:
      ValueError: no such name.
    """
    check(name)
    if jax.default_backend() != 'cpu' and (name or _setting() is None):
        jax.config.update('jax_default_matmul_precision', name or 'highest')


def current() -> str:
    """The precision that a network would have now: one of CHOICES, or JAX's own name.

    JAX has more: 'float32' and 'tensorfloat32', and those of lax.DotAlgorithmPreset.
    """
    if jax.default_backend() == 'cpu':
        return 'highest'
    return _setting() or 'default'


def _setting() -> str | None:
    return jax.config.jax_default_matmul_precision
