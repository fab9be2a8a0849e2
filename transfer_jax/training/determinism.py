"""Determinism: whether the same program gives the same bits again.

On CPU and TPU it does. On a GPU, XLA adds in any order (atomic additions) and picks the
algorithms of products and convolutions by timing them. Its flag forbids both, which may
cost speed. Then a run that was killed and resumed on one GPU ends with the bits of a
straight one; without it they differ in the last digits.
"""

import os

import jax

FLAG = '--xla_gpu_deterministic_ops'
VARIABLE = 'XLA_FLAGS'


def request() -> None:
    """Adds the flag to those of $XLA_FLAGS; must come before JAX starts its backend.

    Raises:
      ValueError: the backend has started, or $XLA_FLAGS is the name of a file.
    """
    if _asked():
        return
    flags = os.environ.get(VARIABLE, '').strip()
    if flags and not flags.startswith('-'):
        raise ValueError(f'--deterministic: add {FLAG}=true to {flags}, of ${VARIABLE}')
    if _started():
        raise ValueError(
            '--deterministic comes too late, JAX has started: set '
            f'{VARIABLE}={FLAG}=true before'
        )
    os.environ[VARIABLE] = f'{flags} {FLAG}=true'.strip()


def current() -> bool:
    """Whether a run now would give the same bits again."""
    return jax.default_backend() in ('cpu', 'tpu') or _asked()


def _asked() -> bool:
    """Whether $XLA_FLAGS has the flag; the last one counts."""
    values = [
        value
        for name, _, value in (
            flag.partition('=') for flag in os.environ.get(VARIABLE, '').split()
        )
        if name == FLAG
    ]
    return bool(values) and values[-1].lower() in ('', 'true', '1')


def _started() -> bool:
    """Whether JAX has a backend, which has read the flags."""
    from jax._src import xla_bridge  # JAX has no public name for this

    return xla_bridge.backends_are_initialized()
