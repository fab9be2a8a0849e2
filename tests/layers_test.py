"""Imports go down only, in transfer_jax and experiments: ARCHITECTURE.md's layers."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]

# A package, or a file at the top, may import those of lower layers, never one of its
# own layer. ARCHITECTURE.md has the same tables.
LAYERS = {
    'transfer_jax': (
        {'types'},
        {'tree', 'ops', 'metrics'},
        {'losses', 'models', 'shallow', 'zero_shot', 'data'},
        {'training'},
        {'evaluation', 'selection', 'methods'},
        {'runs', 'recipes'},
        {'reports'},
        {'cli'},
        {'adapt'},
    ),
    'experiments': (
        {'tasks'},
        {'shallow', 'demo', 'data', 'weights', 'lectures'},
        {'adaptation', 'transfer', 'localization', 'zero_shot'},
        {'tables'},
        {'__main__'},
        {'adapt', 'table', 'sweep', 'predict', 'export'},
    ),
}
# Beyond the layers: package -> what it must not import anyhow.
FORBIDDEN = {
    'methods': {
        'models',
        'data',
        'shallow',
        'zero_shot',
    },  # networks and batches are arguments
    'training': {'models', 'data', 'losses', 'shallow', 'zero_shot'},
    'runs': {'methods', 'models', 'data', 'shallow', 'zero_shot', 'losses'},
    'evaluation': {'data'},
    'reports': {'methods', 'models', 'data', 'shallow', 'zero_shot', 'losses'},
}
OUTSIDE = {'data': {'jax', 'flax', 'optax', 'chex'}}  # other libraries, by package
EXCEPT = {'device_transforms.py'}  # the one file of data that imports jax
# What transfer_jax never imports: it knows no experiment.
ABOVE = {'experiments', 'tests', 'benchmarks', 'tools', 'examples'}


def _imports(file):
    """Dotted names that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{file}: imports are absolute'
            # `from parent import package` names the package after its parent.
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def _part(dotted, top):
    """'transfer_jax.ops.collective.AXIS' -> 'ops'; None for another library."""
    head, _, rest = dotted.partition('.')
    return rest.split('.')[0] if head == top and rest else None


def _files(folder):
    files = sorted((ROOT / folder).rglob('*.py'))
    assert files
    return files


def _check_goes_down(file, top):
    layer = {name: i for i, names in enumerate(LAYERS[top]) for name in names}
    own = file.relative_to(ROOT / top).parts[0].removesuffix('.py')
    if own == '__init__':
        return
    assert own in layer, f'{own} is in no layer: give it one in LAYERS'
    for name in _imports(file):
        part = _part(name, top)
        if part is None or part in (own, '__version__'):
            continue
        assert part in layer, f'{file.name} imports {name}, which is in no layer'
        assert layer[part] < layer[own], f'{own} must not import {part} ({name})'


@pytest.mark.parametrize('file', _files('transfer_jax'), ids=lambda f: f.name)
def test_imports_go_down(file):
    _check_goes_down(file, 'transfer_jax')
    own = file.relative_to(ROOT / 'transfer_jax').parts[0].removesuffix('.py')
    for name in _imports(file):
        library = name.split('.')[0]
        assert library not in ABOVE, name
        if file.name not in EXCEPT:
            assert library not in OUTSIDE.get(own, set()), name
        part = _part(name, 'transfer_jax')
        assert part not in FORBIDDEN.get(own, set()), f'{own} imports {part} ({name})'


@pytest.mark.parametrize('file', _files('experiments'), ids=lambda f: f.name)
def test_imports_of_experiments_go_down(file):
    _check_goes_down(file, 'experiments')
    libraries = {name.split('.')[0] for name in _imports(file)}
    assert not libraries & {'tests', 'benchmarks', 'tools', 'torch', 'examples'}


@pytest.mark.parametrize('top', LAYERS)
def test_no_two_modules_import_each_other(top):
    """Within a package too: no circle at any depth."""
    modules = {}
    for file in _files(top):
        parts = file.relative_to(ROOT).with_suffix('').parts
        name = '.'.join(parts).removesuffix('.__init__')
        modules[name] = set(_imports(file))
    edges = {}
    for name, imported in modules.items():
        # `from package import name`: the module of that name, else the package. An
        # __init__ gathers its modules; that is no dependency of theirs on it.
        found = set()
        for dotted in imported:
            while dotted and dotted not in modules:
                dotted = dotted.rpartition('.')[0]
            if dotted and dotted != name and not name.startswith(f'{dotted}.'):
                found.add(dotted)
        edges[name] = found
    done, path = set(), []

    def visit(name):
        assert name not in path, ' -> '.join([*path[path.index(name) :], name])
        if name not in done:
            path.append(name)
            for other in sorted(edges[name]):
                visit(other)
            path.pop()
            done.add(name)

    for name in modules:
        visit(name)


def test_torch_is_imported_by_the_reader_of_its_files_alone():
    files = [*_files('transfer_jax'), *_files('experiments'), *_files('tests')]
    found = {
        str(f.relative_to(ROOT))
        for f in files
        if 'torch' in {name.split('.')[0] for name in _imports(f)}
    }
    assert found <= {'transfer_jax/models/weights/files.py'}


def test_the_rule_sees_an_import_that_goes_up(tmp_path):
    file = tmp_path / 'module.py'
    file.write_text(
        'import transfer_jax.ops\ndef f():\n    from transfer_jax import runs\n'
        'from transfer_jax.ops.collective import AXIS\nimport jax.numpy as jnp\n'
    )
    parts = [_part(name, 'transfer_jax') for name in _imports(file)]
    assert parts.count('runs') == 1
    assert set(parts) == {'ops', 'runs', None}


def test_architecture_has_the_same_layers():
    """Each table of the page: one line a layer, its packages in backquotes."""
    text = (ROOT / 'ARCHITECTURE.md').read_text()
    for top, layers in LAYERS.items():
        _, _, rest = text.partition(f'| layer | {top} |')
        lines = rest.strip().splitlines()[1 : len(layers) + 1]
        written = [
            set(re.findall(r'`(\w+)(?:/|\.py)`', line.split('|')[2])) for line in lines
        ]
        assert written == [set(names) for names in layers], top


def test_the_house_stays_in_order():
    """Few files at the top, no file and no signature that is too long."""
    top = [p.name for p in (ROOT / 'transfer_jax').iterdir() if p.suffix == '.py']
    assert len(top) <= 4, top
    for file in _files('transfer_jax'):
        text = file.read_text()
        assert len(text.splitlines()) <= 300, file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
                count = len([n for n in names if n not in ('self', 'cls')])
                assert count <= 6, f'{file}: {node.name} takes {count} by position'
