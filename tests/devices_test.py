"""One device and eight forced ones, in a process of their own: eight_*.py."""

import os
import pathlib
import subprocess
import sys

import jax
import pytest

FILES = ('eight_devices.py', 'eight_losses.py', 'eight_methods.py')


def test_eight_devices_equal_one():
    _run('not slow')


@pytest.mark.slow
def test_eight_devices_equal_one_for_every_method():
    _run('slow')


def _run(mark):
    assert jax.device_count() == 1 or jax.default_backend() != 'cpu'
    here = pathlib.Path(__file__).parent
    run = subprocess.run(
        [sys.executable, '-m', 'pytest', *FILES, '-q', '-p', 'no:xdist', '-m', mark],
        cwd=here,
        env=os.environ | {'JAX_NUM_CPU_DEVICES': '8', 'JAX_PLATFORMS': 'cpu'},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
