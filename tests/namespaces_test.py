"""`import transfer_jax as tj`: every package by its name, imported when it is used."""

import ast
import importlib
import pathlib
import pkgutil
import subprocess
import sys

import pytest

import transfer_jax as tj
from transfer_jax import reports

ROOT = pathlib.Path(tj.__file__).parent
PACKAGES = sorted(module.name for module in pkgutil.iter_modules(tj.__path__))
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tj.__path__, 'transfer_jax.')
    if (ROOT.parent / module.name.replace('.', '/') / '__init__.py').exists()
)
LAZY = {'transfer_jax': tj, 'transfer_jax.reports': reports}


def _stubbed(module):
    """The names that the .pyi beside a package gives."""
    stub = pathlib.Path(module.__file__).with_suffix('.pyi')
    names = set()
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            # `as` the same name: else a checker takes it for private.
            assert all(alias.name == alias.asname for alias in node.names)
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
    return names


@pytest.mark.parametrize('name', PACKAGES)
def test_every_package_is_an_attribute(name):
    assert getattr(tj, name) is importlib.import_module(f'transfer_jax.{name}')
    assert name in dir(tj)


def test_every_module_of_the_reports_is_an_attribute():
    names = {module.name for module in pkgutil.iter_modules(reports.__path__)}
    assert set(reports.__all__) == names <= set(dir(reports))
    for name in names:
        module = importlib.import_module(f'transfer_jax.reports.{name}')
        assert getattr(reports, name) is module


@pytest.mark.parametrize('name', LAZY)
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=f"'{name}' has no attribute 'lossses'"):
        LAZY[name].lossses  # noqa: B018


@pytest.mark.parametrize('name', LAZY)
def test_editors_read_the_same_names(name):
    assert _stubbed(LAZY[name]) == set(LAZY[name].__all__)
    assert (ROOT / 'py.typed').exists()


@pytest.mark.parametrize('name', MODULES)
def test_every_public_name_exists(name):
    package = importlib.import_module(name)
    names = getattr(package, '__all__', [])
    assert len(set(names)) == len(names)
    assert [n for n in names if not hasattr(package, n)] == []


@pytest.mark.parametrize(
    'statement',
    ['import transfer_jax; dir(transfer_jax)', 'import transfer_jax.reports'],
)
def test_an_import_imports_nothing_else(statement):
    check = f'{statement}\nimport sys\nprint({{"jax", "numpy"}} & set(sys.modules))'
    run = subprocess.run(
        [sys.executable, '-c', check], capture_output=True, text=True, timeout=60
    )
    assert (run.stdout, run.stderr) == ('set()\n', '')
