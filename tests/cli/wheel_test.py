"""The wheel, installed elsewhere, runs an experiment that is outside the repository."""

import importlib.metadata
import json
import os
import pathlib
import shutil
import site
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SETUPTOOLS = int(importlib.metadata.version('setuptools').partition('.')[0])
pytestmark = pytest.mark.skipif(SETUPTOOLS < 77, reason='pyproject.toml needs 77')


def _pip(*arguments):
    command = [sys.executable, '-m', 'pip', '--disable-pip-version-check', *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The wheel, built from a copy: setuptools leaves files where it builds."""
    folder = tmp_path_factory.mktemp('wheel')
    copy = folder / 'copy'
    for name in ('transfer_jax', 'experiments'):
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in ('pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, copy)
    flags = ('--no-deps', '--no-index', '--no-build-isolation')
    _pip('wheel', *flags, '--wheel-dir', str(folder), str(copy))
    return next(folder.glob('*.whl'))


def test_the_wheel_holds_the_package_and_its_stubs_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition('/')[0] for name in names}
    assert {top for top in tops if not top.endswith('.dist-info')} == {'transfer_jax'}
    files = [path.relative_to(ROOT) for path in (ROOT / 'transfer_jax').rglob('*.py*')]
    wanted = {str(path) for path in files if path.suffix in ('.py', '.pyi')}
    assert wanted | {'transfer_jax/py.typed'} <= set(names)


@pytest.mark.slow
def test_an_experiment_elsewhere_runs_and_is_swept(wheel, tmp_path):
    installed, mine = tmp_path / 'installed', tmp_path / 'mine'
    _pip('install', '--no-deps', '--no-index', '--target', str(installed), str(wheel))
    mine.mkdir()
    text = pathlib.Path(__file__).with_name('my_experiment.py').read_text()
    (mine / 'my_experiment.py').write_text(text)

    def python(*arguments):
        # -S: without the .pth files that would make this repository importable
        path = os.pathsep.join([str(installed), *site.getsitepackages()])
        run = subprocess.run(
            [sys.executable, '-S', *arguments],
            cwd=mine,
            env=os.environ | {'PYTHONPATH': path},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    where = python('-c', 'import transfer_jax; print(transfer_jax.__file__)')
    assert pathlib.Path(where.strip()).is_relative_to(installed)
    find = 'import importlib.util; print(importlib.util.find_spec("experiments"))'
    assert python('-c', find) == 'None\n'
    python('-m', 'my_experiment', '--config.steps', '2')
    (result,) = (mine / 'runs' / 'mine').glob('*/result.json')
    assert json.loads(result.read_text())['config']['steps'] == 2
    listed = python('-m', 'transfer_jax.cli.sweep', 'my_experiment', '--list')
    assert listed.count('to run') == 2 and 'group 2' not in listed
