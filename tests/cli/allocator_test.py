"""Freed memory is retained: the second array of a size touches no new page."""

import os
import subprocess
import sys

import pytest

CODE = """
import resource, threading
from transfer_jax.cli import allocator

print(allocator.retain_freed())
import numpy as np

def fill():
    np.full(16_000_000, 1.0)

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=fill)  # as XLA does, from any thread
    thread.start()
    thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(), faults())
"""


def _run(**environment):
    plain = {k: v for k, v in os.environ.items() if k != 'GLIBC_TUNABLES'}
    run = subprocess.run(
        [sys.executable, '-c', CODE],
        env=plain | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    retained, *counts = run.stdout.split()
    return retained == 'True', [int(count) for count in counts]


def test_freed_memory_is_retained():
    retained, (first, second) = _run()
    if not retained:
        pytest.skip('another C library')
    assert first > 50 and second < first / 10


@pytest.mark.parametrize(
    'environment', [{'GLIBC_TUNABLES': 'glibc.malloc.perturb=0'}, {'JAX_PLATFORMS': ''}]
)
def test_nothing_is_set_where_the_user_sets_malloc_or_with_an_accelerator(
    environment, monkeypatch
):
    from transfer_jax.cli import allocator

    monkeypatch.delenv('GLIBC_TUNABLES', raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        allocator.importlib.metadata, 'entry_points', lambda **_: ['gpu']
    )
    monkeypatch.setattr(allocator.ctypes, 'CDLL', pytest.fail)
    assert allocator.retain_freed() is False
