"""One device and eight forced ones, in a process of their own: eight_devices.py."""

import os
import pathlib
import subprocess
import sys

import jax


def test_training_on_eight_devices_equals_training_on_one():
    assert jax.device_count() == 1 or jax.default_backend() != 'cpu'
    here = pathlib.Path(__file__).parent
    run = subprocess.run(
        [sys.executable, '-m', 'pytest', 'eight_devices.py', '-q', '-p', 'no:xdist'],
        cwd=here,
        env=os.environ | {'JAX_NUM_CPU_DEVICES': '8', 'JAX_PLATFORMS': 'cpu'},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
