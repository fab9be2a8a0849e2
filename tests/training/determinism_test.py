"""XLA's flag: added to the user's, in time or not at all."""

import os
import subprocess
import sys

import jax
import pytest

from transfer_jax.training import determinism

ON = f'{determinism.FLAG}=true'
CODE = """
import os
from transfer_jax.training import determinism

determinism.request()
import jax.numpy as jnp

print(jnp.ones(3).sum(), os.environ['XLA_FLAGS'])
determinism.request()  # it is there already
os.environ['XLA_FLAGS'] = ''
try:
    determinism.request()
except ValueError as error:
    print(error)
"""


@pytest.fixture
def flags(monkeypatch):
    """flags(value) sets $XLA_FLAGS, as if JAX had not started; None takes it away."""

    def put(value):
        monkeypatch.delenv('XLA_FLAGS', raising=False)
        if value is not None:
            monkeypatch.setenv('XLA_FLAGS', value)

    monkeypatch.setattr(determinism, '_started', lambda: False)
    put(None)
    return put


def test_a_process_of_its_own_asks_in_time_and_then_not_again():
    run = subprocess.run(
        [sys.executable, '-c', CODE],
        env=os.environ | {'XLA_FLAGS': '--xla_cpu_enable_fast_math=false'},
        capture_output=True,
        text=True,
        check=True,
    )
    computed, late = run.stdout.splitlines()
    assert computed == f'3.0 --xla_cpu_enable_fast_math=false {ON}'
    assert late.startswith('--deterministic comes too late') and ON in late


@pytest.mark.parametrize(
    'before, after',
    [
        (None, ON),
        ('', ON),
        ('--xla_dump_to=/x', f'--xla_dump_to=/x {ON}'),
        (f'{ON} --xla_dump_to=/x', f'{ON} --xla_dump_to=/x'),
        (determinism.FLAG, determinism.FLAG),
        (f'{determinism.FLAG}=false', f'{determinism.FLAG}=false {ON}'),
    ],
)
def test_flags_of_the_user_stay(flags, before, after):
    flags(before)
    determinism.request()
    assert os.environ['XLA_FLAGS'] == after


def test_flags_in_a_file_are_named(flags):
    flags('/home/me/flags')
    with pytest.raises(ValueError, match=f'add {ON} to /home/me/flags'):
        determinism.request()


@pytest.mark.parametrize(
    'backend, value, expected',
    [
        ('cpu', None, True),
        ('tpu', None, True),
        ('gpu', None, False),
        ('gpu', ON, True),
        ('gpu', f'{ON} {determinism.FLAG}=false', False),
    ],
)
def test_what_gives_the_same_bits(flags, monkeypatch, backend, value, expected):
    flags(value)
    monkeypatch.setattr(jax, 'default_backend', lambda: backend)
    assert determinism.current() is expected
