"""Dependencies: every imported library is declared, and two lists of them agree."""

import ast
import importlib.metadata
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
EXTRAS = PROJECT['optional-dependencies']
OURS = {'transfer_jax', 'experiments'}
# Imported where they are installed only: by the reader of PyTorch's files, and to fetch
# files of the Hugging Face Hub.
OPTIONAL = {'torch', 'huggingface_hub'}


def _name(requirement):
    return re.match(r'[\w.-]+', requirement)[0].lower().replace('_', '-')


def _imported(folder):
    """Top-level names of the libraries that are imported anywhere in a folder."""
    names = set()
    for file in (ROOT / folder).rglob('*.py'):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module.split('.')[0])
    return names - set(sys.stdlib_module_names) - OURS - OPTIONAL


def test_requirements_are_those_of_the_package_and_its_extras():
    lines = (ROOT / 'requirements.txt').read_text().splitlines()
    listed = [line.split('#')[0].strip() for line in lines]
    groups = (EXTRAS[name] for name in ('data', 'shallow', 'experiments', 'export'))
    wanted = [*PROJECT['dependencies'], *(one for group in groups for one in group)]
    assert [line for line in listed if line] == wanted


def test_what_is_imported_is_declared():
    extras = (EXTRAS[name] for name in ('data', 'shallow', 'cluster'))
    declared = [*PROJECT['dependencies'], *(one for group in extras for one in group)]
    experiments = [*declared, *EXTRAS['experiments']]
    packages = importlib.metadata.packages_distributions()
    for folder, allowed in (('transfer_jax', declared), ('experiments', experiments)):
        names = {_name(requirement) for requirement in allowed}
        for module in _imported(folder):
            installed = {_name(name) for name in packages[module]}
            assert installed & names, f'{folder} imports {module}, which is undeclared'
