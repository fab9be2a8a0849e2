"""--precision and --deterministic, from each command line to what a run sees."""

import os
import sys

import jax
import pytest

from experiments import demo
from experiments.adaptation import dann, tuning
from transfer_jax import cli, runs
from transfer_jax.cli import allocator, arithmetic, launch, sweep
from transfer_jax.training import determinism

FAKE = ('--config.pair', 'fake_to_fake_shifted')
FLAG = f'{determinism.FLAG}=true'


class _Reached(Exception):
    """A run would start now."""


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch, default_precision):
    """What a command sets ends with the test."""
    monkeypatch.setenv('XLA_FLAGS', '--xla_dump_to=/x')


@pytest.fixture
def gpu(monkeypatch):
    """A machine with an accelerator, on which JAX has not started."""
    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
    monkeypatch.setattr(allocator, 'accelerated', lambda: True)
    monkeypatch.setattr(determinism, '_started', lambda: False)


@pytest.fixture
def start(monkeypatch, tmp_path):
    """start(name, *flags) -> (precision, $XLA_FLAGS) at the start of its run."""

    def reached(*args, **kwargs):
        raise _Reached

    for module, name in ((launch, 'execute'), (runs, 'run'), (tuning, 'scored')):
        monkeypatch.setattr(module, name, reached)

    def run(name, *flags):
        argv = [name, *flags, *(FAKE if name == 'launch' else ())]
        monkeypatch.setattr(sys, 'argv', argv)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(_Reached):
            COMMANDS[name](flags)
        return jax.config.jax_default_matmul_precision, os.environ['XLA_FLAGS']

    return run


def _sweep(flags):
    sweep.main(['experiments.adaptation.dann', '--debug', '--fast', *flags])


def _task(flags):
    """A group on a cluster, in the process of its own that it would have."""
    options = dict(zip(flags, flags[1:], strict=False))
    compute = arithmetic.Flags(
        options.get('--precision', ''), '--deterministic' in flags
    )
    name = 'experiments.adaptation.dann'
    command = sweep.Command(name, fast=True, debug=True, compute=compute)
    sweep.Task()(command, 0)


COMMANDS = {
    'launch': lambda flags: cli.main(dann.Config, dann.build),
    'sweep': _sweep,
    'task': _task,
    'demo': lambda flags: demo.main(),
    'tuning': lambda flags: tuning.main(['--fast', *flags]),
}


@pytest.mark.parametrize('name', COMMANDS)
def test_a_run_on_an_accelerator_starts_with_both(gpu, start, name):
    assert start(name) == ('highest', '--xla_dump_to=/x')
    flags = ('--precision', 'high', '--deterministic')
    assert start(name, *flags) == ('high', f'--xla_dump_to=/x {FLAG}')


@pytest.mark.parametrize('name', COMMANDS)
def test_on_cpu_both_are_accepted_and_change_nothing(start, name):
    flags = ('--precision', 'default', '--deterministic')
    for given in ((), flags):
        assert start(name, *given) == (None, '--xla_dump_to=/x')
