"""Imports go down only: the floors of ARCHITECTURE.md."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]

# A room is a folder or a file of transfer_jax; it may import rooms of lower floors,
# never one of its own floor.
FLOORS = (
    {'types'},
    {'tree', 'ops', 'metrics'},
    {'losses', 'models', 'shallow', 'data', 'retrieval', 'features_file'},
    {'training'},
    {'evaluation', 'units', 'selection', 'methods', 'folder', 'figures', 'tables'},
    {'watching', 'outcomes', 'regret', 'summaries', 'markup', 'galleries', 'overlays'},
    {'running', 'study'},
    {'pictures', 'together', 'side_by_side'},
    {'report', 'sweep_report'},
    {'study_report'},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Beyond the floors: room -> what it must not import anyhow.
FORBIDDEN = {
    'methods': {'models', 'data', 'shallow'},  # networks and batches are arguments
    'training': {'models', 'data', 'losses', 'shallow'},
    'running': {'methods', 'models', 'data'},
    'evaluation': {'data'},
    'study': {'methods', 'models', 'data'},
    'together': {'methods', 'models', 'data'},
    'side_by_side': {'methods', 'models', 'data'},
}
# Nobody's to import: tools is for development, with PyTorch.
ABOVE = {'experiments', 'tests', 'benchmarks', 'tools'}
OUTSIDE = {'data': {'jax', 'flax', 'optax', 'chex'}}  # other packages, by room


def _imports(file):
    """Dotted names that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{file}: imports are absolute'
            # `from package import room` names the room after the package.
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def _packages(file):
    return {name.split('.')[0] for name in _imports(file)}


def _room(dotted):
    """'transfer_jax.ops.collective.AXIS' -> 'ops'; None for another package."""
    head, _, rest = dotted.partition('.')
    return rest.split('.')[0] if head == 'transfer_jax' and rest else None


def _files(folder):
    files = sorted((ROOT / folder).rglob('*.py'))
    assert files
    return files


def _own_room(file):
    return file.relative_to(ROOT / 'transfer_jax').parts[0].removesuffix('.py')


@pytest.mark.parametrize('file', _files('transfer_jax'), ids=lambda f: f.name)
def test_imports_go_down(file):
    own = _own_room(file)
    if own == '__init__':
        assert not [name for name in _imports(file) if _room(name)]
        return
    assert own in FLOOR, f'{own} has no floor: give it one in FLOORS'
    for name in _imports(file):
        assert name.split('.')[0] not in ABOVE
        assert name.split('.')[0] not in OUTSIDE.get(own, set()), name
        room = _room(name)
        if room is None or room == own:
            continue
        assert room in FLOOR, f'{file.name} imports {name}, a room without a floor'
        assert FLOOR[room] < FLOOR[own], f'{own} must not import {room} ({name})'
        assert room not in FORBIDDEN.get(own, set()), f'{own} imports {room} ({name})'


@pytest.mark.parametrize('file', _files('experiments'), ids=lambda f: f.name)
def test_experiments_import_no_tests_and_no_benchmarks(file):
    assert not _packages(file) & {'tests', 'benchmarks', 'tools', 'torch'}


def test_torch_is_imported_by_the_reader_of_its_files_alone():
    files = [*_files('transfer_jax'), *_files('experiments'), *_files('tests')]
    found = {str(f.relative_to(ROOT)) for f in files if 'torch' in _packages(f)}
    assert found <= {'transfer_jax/models/weights/files.py'}


def test_the_rule_sees_an_import_that_goes_up(tmp_path):
    file = tmp_path / 'page.py'
    file.write_text(
        'import transfer_jax.ops\ndef f():\n    from transfer_jax import running\n'
        'from transfer_jax.ops.collective import AXIS\nimport jax.numpy as jnp\n'
    )
    assert [_room(name) for name in _imports(file)].count('running') == 1
    assert {_room(name) for name in _imports(file)} == {'ops', 'running', None}
