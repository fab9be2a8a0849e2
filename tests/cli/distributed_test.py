"""Two processes of four devices, one of eight, and one device: the same training."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from experiments.adaptation import dann
from transfer_jax import runs

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).parents[2]
STEPS = 40
# A small rate: rounding grows along a run, and is not the subject here.
CONFIG = dann.Config('fake_to_fake_shifted', seeds=1, steps=STEPS, batch=32, rate=1e-3)
FLAGS = (
    *('--config.pair', CONFIG.pair, '--config.seeds', '1'),
    *('--config.steps', str(STEPS), '--config.batch', '32', '--config.rate', '1e-3'),
)


def _start(root, devices, process=None, flags=(), **variables):
    """A process of the run in `root`, with so many devices."""
    flags = ['--run-dir', str(root / 'run'), *flags]
    variables |= {'JAX_NUM_CPU_DEVICES': str(devices), 'JAX_PLATFORMS': 'cpu'}
    root.mkdir(exist_ok=True)
    log = open(root / f'log_{devices}_{process}', 'a')
    return subprocess.Popen(
        [sys.executable, '-u', '-m', 'experiments.adaptation.dann', *FLAGS, *flags],
        cwd=ROOT,
        env=os.environ | variables,
        stdout=log,
        stderr=subprocess.STDOUT,
    )


def _two(root):
    """Two processes of four devices, with the address of the first."""
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = free.getsockname()[1]
    there = ('--distributed', f'localhost:{port}', '--processes', '2')
    return [_start(root, 4, i, (*there, '--process', str(i))) for i in (0, 1)]


def _two_of_slurm(root):
    """The same, which read the variables that srun would have set."""
    job = {'SLURM_JOB_ID': str(os.getpid()), 'SLURM_STEP_NODELIST': 'localhost'}
    job |= {'SLURM_NTASKS': '2', 'SLURM_STEP_NUM_NODES': '1'}
    return [
        _start(
            root,
            4,
            i,
            ('--distributed', 'auto'),
            **job,
            SLURM_PROCID=str(i),
            SLURM_LOCALID=str(i),
        )
        for i in (0, 1)
    ]


def _wait(root, processes, code=0):
    for process in processes:
        assert process.wait(500) == code, _logs(root)


def _logs(root):
    return '\n'.join(f'{p.name}:\n{p.read_text()}' for p in root.glob('log_*'))


def _until(root, step, processes):
    """Wait for the checkpoint after a step."""
    stage = dann.build(CONFIG).stages[0]
    folder = runs.stages.checkpoint_dir(root / 'run', 0, 0, stage)
    began = time.monotonic()
    while not any(
        int(path.name) >= step
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.name.isdigit()
    ):
        assert time.monotonic() - began < 300, _logs(root)
        assert all(process.poll() is None for process in processes), _logs(root)
        time.sleep(0.1)


def _params(root, stages=None):
    """Of the last state of the run, read in this process, on one device."""
    experiment = dann.build(CONFIG)
    data = experiment.data(0, None)
    return runs.restore(experiment, root / 'run', 0, data, stages).params


def _same(one, two):
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(two), strict=True
    ):
        name = jax.tree_util.keystr(path)
        np.testing.assert_allclose(a, b, atol=1e-5, err_msg=name)


@pytest.fixture(scope='module')
def one_device(tmp_path_factory):
    """The run on one device; its parameters."""
    root = tmp_path_factory.mktemp('one')
    _wait(root, [_start(root, 1)])
    first, last = _params(root, 0), _params(root)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), first, last)
    assert max(jax.tree.leaves(moved)) > 1e-3  # a hundred times what may differ
    return last


@pytest.mark.parametrize('start', [_two, _two_of_slurm])
def test_two_processes_equal_one_device(one_device, tmp_path, start):
    _wait(tmp_path, start(tmp_path))
    _same(_params(tmp_path), one_device)
    assert (tmp_path / 'run' / 'report.html').exists()


def test_a_run_goes_on_with_another_number_of_processes(one_device, tmp_path):
    """Two of four devices, then one of eight, then two again."""
    processes = _two(tmp_path)
    _until(tmp_path, 4, processes)
    processes[1].send_signal(signal.SIGTERM)  # one of them gets it, both stop
    _wait(tmp_path, processes, 128 + signal.SIGTERM)
    eight = _start(tmp_path, 8)
    _until(tmp_path, STEPS // 2, [eight])
    eight.send_signal(signal.SIGTERM)
    _wait(tmp_path, [eight], 128 + signal.SIGTERM)
    _wait(tmp_path, _two(tmp_path))
    _same(_params(tmp_path), one_device)


def test_a_killed_process_ends_the_other_and_the_run_goes_on(one_device, tmp_path):
    processes = _two(tmp_path)
    _until(tmp_path, 4, processes)
    processes[1].kill()
    began = time.monotonic()
    assert processes[0].wait(60) != 0
    took = time.monotonic() - began
    output = (tmp_path / 'log_4_0').read_text()
    assert 'lost another one' in output or 'another task died' in output, output
    print(f'the other process ended after {took:.0f} s')
    _wait(tmp_path, _two(tmp_path))
    _same(_params(tmp_path), one_device)
