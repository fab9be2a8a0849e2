"""The next start loads the programs that an earlier one compiled."""

import os
import subprocess
import sys

import pytest

CODE = """
import collections, sys
from transfer_jax.cli import compilation_cache
import jax, jax.numpy as jnp
seen = collections.Counter()
jax.monitoring.register_event_listener(lambda name, **_: seen.update([name]))
compilation_cache.enable()
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((4, 4))).block_until_ready()
print(seen['/jax/compilation_cache/cache_hits'], jax.config.jax_compilation_cache_dir)
"""


def _start(**variables):
    env = {k: v for k, v in os.environ.items() if k != 'JAX_COMPILATION_CACHE_DIR'}
    run = subprocess.run(
        [sys.executable, '-c', CODE],
        env=env | {'JAX_PLATFORMS': 'cpu'} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    # XLA warns of programs that it takes to be of another machine
    assert 'machine' not in run.stderr.lower(), run.stderr
    hits, _, folder = run.stdout.strip().partition(' ')
    return int(hits), folder


def test_the_second_start_compiles_nothing(tmp_path):
    first, folder = _start(XDG_CACHE_HOME=str(tmp_path))
    assert folder.startswith(str(tmp_path / 'transfer_jax' / 'programs'))
    again, _ = _start(XDG_CACHE_HOME=str(tmp_path))
    assert first == 0 and again > 0


@pytest.mark.parametrize(
    'variables',
    [
        {'JAX_COMPILATION_CACHE_DIR': ''},
        {'XDG_CACHE_HOME': '/dev/null'},
    ],
    ids=['turned off', 'no folder'],
)
def test_without_a_folder_nothing_is_cached(variables):
    hits, folder = _start(**variables)
    assert (hits, folder) in [(0, 'None'), (0, '')]
