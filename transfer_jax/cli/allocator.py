"""Makes glibc keep freed memory, for faster steps on a CPU."""

import ctypes
import importlib.metadata
import importlib.util
import os
import sys

# Of <malloc.h>.
TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8


def retain_freed() -> bool:
    """Let malloc keep what is freed, and say whether it does.

    XLA's CPU client allocates the buffers of a step at its start and frees them at its
    end, from any of its threads. glibc maps blocks of their size anew each time, and
    the kernel clears every page that is touched. With one heap for all threads, no
    mapped blocks and no trimming, the same pages serve all steps.

    Must come before JAX starts its threads. Nothing is done without glibc, with an
    accelerator, whose steps need none of it, or where $GLIBC_TUNABLES sets malloc.
    """
    chosen = 'glibc.malloc' in os.environ.get('GLIBC_TUNABLES', '')
    if chosen or sys.platform != 'linux' or accelerated():
        return False
    try:
        mallopt = ctypes.CDLL('libc.so.6').mallopt  # this name is glibc's
    except (OSError, AttributeError):
        return False
    settings = {ARENA_MAX: 1, MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1}
    return all([mallopt(name, value) for name, value in settings.items()])


def accelerated() -> bool:
    """Whether JAX has a plugin for an accelerator and may use it."""
    if os.environ.get('JAX_PLATFORMS') == 'cpu':
        return False
    plugins = importlib.metadata.entry_points(group='jax_plugins')
    return bool(plugins) or importlib.util.find_spec('libtpu') is not None
