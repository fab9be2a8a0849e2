"""JAX's persistent compilation cache."""

import hashlib
import os
import pathlib
import platform

import jax

VARIABLE = 'JAX_COMPILATION_CACHE_DIR'
BYTES = 2 * 1024**3  # on disk; the oldest go


def enable() -> None:
    """Keep what is compiled in $JAX_COMPILATION_CACHE_DIR, and find it there again.

    By default transfer_jax/programs in the user's cache folder ($XDG_CACHE_HOME, else
    ~/.cache), with a folder for each kind of processor: machines of a cluster may share
    it. An empty variable turns it off, and so does a folder that cannot be written.
    """
    path = os.environ.get(VARIABLE)
    if path is None:
        path = default()
        try:
            pathlib.Path(path).mkdir(parents=True, exist_ok=True)
        except OSError:
            return
    if not path:
        return
    jax.config.update('jax_compilation_cache_dir', path)
    # Of a hundred small programs each compiles soon, and all of them do not.
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
    jax.config.update('jax_compilation_cache_max_size', BYTES)


def default() -> str:
    """The folder of compiled programs on this machine."""
    home = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
    return str(pathlib.Path(home) / 'transfer_jax' / 'programs' / _processor())


def _processor() -> str:
    """'x86_64-1f2e3d4c': programs for one processor may not run on another."""
    facts = platform.processor()
    try:
        lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
        facts += next(line for line in lines if line.startswith(('flags', 'Features')))
    except (OSError, StopIteration):
        pass
    return f'{platform.machine()}-{hashlib.sha256(facts.encode()).hexdigest()[:8]}'
