"""How networks compute, from the command line: precision and determinism."""

import dataclasses
from typing import Annotated

import tyro

from transfer_jax.cli import allocator
from transfer_jax.training import determinism, precision


@dataclasses.dataclass(frozen=True)
class Flags:
    """Precision and determinism. The result file says both."""

    precision: str = ''
    """Of products and convolutions of float32 networks: highest (float32), high (three
    passes of bfloat16 on a TPU; TF32 on an NVIDIA GPU) or default (TF32 on an NVIDIA
    GPU, bfloat16 on a TPU). Losses are always exact. Default: highest. On CPU all are
    the same."""
    deterministic: bool = False
    """On a GPU, the same bits again, also after a kill; without the flag, runs differ
    in the last digits. CPU and TPU give the same bits anyway."""


# A field of a command's flags: `compute: arithmetic.Field = arithmetic.Flags()`.
Field = Annotated[Flags, tyro.conf.arg(name='')]


def prepare(flags: Flags) -> None:
    """What must be set before JAX starts its backend.

    Raises:
      ValueError: no such precision, or the backend has started.
    """
    precision.check(flags.precision)
    if flags.deterministic and allocator.accelerated():
        determinism.request()


def apply(flags: Flags) -> None:
    """What depends on the backend, which starts here if it has not yet."""
    precision.choose(flags.precision)
