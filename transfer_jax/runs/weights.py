"""A tree of arrays in a .safetensors file, by names such as 'params/encoder/kernel'.

Names are keys joined by '/'; in a key, '~' is written '~0' and '/' is '~1' (as in JSON
pointers). The file's metadata has what names cannot say: which containers are tuples,
lists, empty dicts or None. Nothing is pickled.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy

from transfer_jax.types import PyTree

# Types that the format has and NumPy reads back
TYPES = frozenset(
    'bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 '
    'float64 complex64'.split()
)


def write(path: str | os.PathLike, tree: PyTree) -> None:
    """Writes a tree of dicts, tuples, lists, None and arrays; other mappings are dicts.

    Raises:
      ValueError: a container, key or array of another kind; the message names it.
      OSError: the file cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    containers: dict[str, str] = {}
    for name, value in _parts(tree, ''):
        if isinstance(value, str):
            containers[name] = value
        else:
            arrays[name] = value
    metadata = {'containers': json.dumps(containers)} if containers else None
    try:
        safetensors.numpy.save_file(arrays, path, metadata=metadata)
    except safetensors.SafetensorError as error:  # a full disk, among others
        raise OSError(str(error)) from None


def read(path: str | os.PathLike) -> PyTree:
    """The tree of a file, with NumPy arrays.

    Raises:
      ValueError: the file is missing, damaged or of another kind.
    """
    try:
        with safetensors.safe_open(path, framework='np') as file:
            containers = json.loads((file.metadata() or {}).get('containers', '{}'))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ValueError(f'{path}: cannot be read ({error})') from None
    tree: dict[str, Any] = {}
    for name in containers:
        _at(tree, name.split('/'))
    for name, array in arrays.items():
        *above, last = name.split('/')
        _at(tree, above)[_key(last)] = array
    # Innermost first: the parts of a tuple are whole before it is made.
    for name in sorted(containers, key=lambda name: -name.count('/')):
        *above, last = name.split('/')
        parent = _at(tree, above)
        parent[_key(last)] = _container(containers[name], parent[_key(last)])
    return tree


def _parts(tree: PyTree, name: str) -> Iterator[tuple[str, np.ndarray | str]]:
    """(name, array or kind of a container) of everything in a tree."""
    if isinstance(tree, Mapping):
        if not tree and name:
            yield name, 'dict'
        for key, value in tree.items():
            if not isinstance(key, str) or not key:
                raise ValueError(f'{name}: the key {key!r} cannot be saved: not a name')
            yield from _parts(value, _joined(name, key))
    elif type(tree) in (tuple, list):
        yield name, type(tree).__name__
        for i, value in enumerate(tree):
            yield from _parts(value, _joined(name, str(i)))
    elif tree is None:
        yield name, 'none'
    elif isinstance(tree, np.ndarray | np.generic | jax.Array):
        if str(tree.dtype) not in TYPES:
            raise ValueError(f'{name}: an array of {tree.dtype} cannot be saved')
        yield name, np.asarray(tree, order='C')
    else:
        raise ValueError(
            f'{name}: a {type(tree).__qualname__} cannot be saved; weights are arrays '
            'in dicts, tuples and lists'
        )


def _joined(name: str, key: str) -> str:
    key = key.replace('~', '~0').replace('/', '~1')
    return f'{name}/{key}' if name else key


def _key(part: str) -> str:
    return part.replace('~1', '/').replace('~0', '~')


def _at(tree: dict, parts: list[str]) -> dict:
    """The dict at a path, made where there is none."""
    for part in parts:
        tree = tree.setdefault(_key(part), {})
    return tree


def _container(kind: str, found: dict) -> Any:
    """What a dict {'0': ..., '1': ...} stands for."""
    if kind == 'none':
        return None
    if kind == 'dict':
        return found
    values = [found[str(i)] for i in range(len(found))]
    return tuple(values) if kind == 'tuple' else values
