"""A run killed at any moment and started again ends with the same bits."""

import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from experiments.adaptation import adda
from transfer_jax import data, runs
from transfer_jax.training import checkpoint

ROOT = pathlib.Path(__file__).parents[2]
_build = functools.cache(adda.build)  # what is compiled once here serves every test


@pytest.fixture(scope='module')
def quick(tmp_path_factory):
    """A config of seconds, on few images: its runs mostly train and save."""
    folder = tmp_path_factory.mktemp('data')
    specs = {}
    for seed, name in enumerate(('source', 'target')):
        part = data.fake.fake_domain(seed, 40, 28, shift=float(seed)).train
        np.savez(folder / f'{name}.npz', image=part.image, label=part.label)
        specs[name] = f'npz:{folder / name}.npz'
    return adda.Config(
        **specs, protocol='full', seeds=1, steps=12, adapt_steps=12, batch=8
    )


@pytest.fixture(scope='module')
def long(quick):
    return dataclasses.replace(quick, seeds=2, steps=120, adapt_steps=120)


@pytest.fixture(scope='module')
def programs(tmp_path_factory):
    """The compilation cache, from start to start, as users have it."""
    return tmp_path_factory.mktemp('programs')


@pytest.fixture
def start(programs):
    """start(config, run_dir): its command, in a process that ends with the test."""
    with contextlib.ExitStack() as stack:

        def run(config, run_dir):
            process = stack.enter_context(_process(config, run_dir, programs))
            stack.callback(process.kill)
            return process

        yield run


def _process(config, run_dir, programs):
    flags = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != field.default:
            flags += [f'--config.{field.name.replace("_", "-")}', str(value)]
    command = [sys.executable, '-m', 'experiments.adaptation.adda', *flags]
    return subprocess.Popen(
        [*command, '--run-dir', str(run_dir)],
        cwd=ROOT,
        env=os.environ | {'JAX_COMPILATION_CACHE_DIR': str(programs)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _saved(run_dir):
    """The checkpoints; more of them mean that training has gone on."""
    return {
        str(path.relative_to(run_dir))
        for path in run_dir.glob('checkpoints/*/*/*')
        if path.name.isdigit()
    }


def _wait(process, run_dir, before, delay, stage=''):
    """Until a checkpoint of the stage more was written, and `delay` seconds longer."""
    while process.poll() is None:
        if any(stage in path for path in _saved(run_dir) - before):
            time.sleep(delay)
            return
        time.sleep(0.01)


def _finish(process):
    _, output = process.communicate(timeout=1200)
    assert process.returncode == 0, output[-3000:]


def _digests(config, run_dir):
    experiment = _build(config)
    found = []
    for seed in experiment.seeds:
        state = runs.restore(experiment, run_dir, seed, experiment.data(seed, None))
        found.append(checkpoint.digest(state))
    return found, _models(run_dir)


def _models(run_dir):
    """{name: digest} of the files of all models."""
    files = [path for path in (run_dir / 'models').rglob('*') if path.is_file()]
    return {
        str(path.relative_to(run_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _straight(config, run_dir):
    """Digests of last states and models after a run that nothing disturbed."""
    runs.run(_build(config), run_dir)
    return _digests(config, run_dir)


@pytest.fixture(scope='module')
def straight(quick, tmp_path_factory):
    return _straight(quick, tmp_path_factory.mktemp('straight'))


def test_a_killed_run_started_again_ends_with_the_same_bits(
    quick, start, tmp_path, straight
):
    rng = random.Random(os.getpid())
    stage, delay = rng.choice(['0_source', '1_adapt']), rng.uniform(0, 0.3)
    process = start(quick, tmp_path)
    _wait(process, tmp_path, set(), delay, stage)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, (stage, delay)
    _finish(start(quick, tmp_path))
    assert _digests(quick, tmp_path) == straight, (stage, delay)


def test_a_terminated_run_saves_and_says_how_to_go_on(quick, start, tmp_path, straight):
    process = start(quick, tmp_path)
    _wait(process, tmp_path, set(), 0.0)
    process.terminate()
    _, output = process.communicate(timeout=600)
    assert process.returncode == 128 + signal.SIGTERM, output[-3000:]
    assert 'start the same command again to go on' in output
    assert 'Traceback' not in output
    runs.run(_build(quick), tmp_path)
    assert _digests(quick, tmp_path) == straight


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(3))
def test_many_kills_in_either_stage(long, start, tmp_path, seed):
    rng = random.Random(seed)
    run_dir, killed = tmp_path / 'run', []
    while True:
        before = _saved(run_dir)
        process = start(long, run_dir)
        _wait(process, run_dir, before, rng.uniform(0, 1.5))
        process.kill()
        process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        killed.append(
            'adapt' if any('1_adapt' in p for p in _saved(run_dir)) else 'source'
        )
    assert len(killed) >= 4 and set(killed) == {'source', 'adapt'}, killed
    assert _digests(long, run_dir) == _straight(long, tmp_path / 'straight'), killed


@pytest.mark.slow
@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM'])
def test_a_signal_at_any_moment(long, start, tmp_path, name):
    number = signal.Signals[name]
    rng = random.Random(number)
    run_dir = tmp_path / 'run'
    for _ in range(3):
        process = start(long, run_dir)
        _wait(process, run_dir, _saved(run_dir), rng.uniform(0, 1.5))
        process.send_signal(number)
        _, output = process.communicate(timeout=600)
        assert process.returncode == 128 + number, output[-3000:]
    _finish(start(long, run_dir))
    assert _digests(long, run_dir) == _straight(long, tmp_path / 'straight')
