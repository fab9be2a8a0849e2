"""From named arrays of a file to the variables of a network, or one clear error."""

import contextlib
import fnmatch
import math
from collections.abc import Mapping, Sequence

import flax.traverse_util
import numpy as np

from transfer_jax.models.weights import mappings, tables
from transfer_jax.types import PyTree

SHOWN = 4  # names in a message
OWN = ('params', 'batch_stats')  # collections, the beginning of our names


def rename(
    named: Mapping[str, np.ndarray], mapping: mappings.Mapping
) -> dict[str, np.ndarray]:
    """{'params/layer/.../kernel': array}: our names, layouts and float32.

    Arrays that have our names already keep them.

    Raises:
      ValueError: names that the mapping does not know, or layers of it without an
        array: these are weights of another architecture.
    """
    if all(name.split('/')[0] in OWN for name in named):
        found = {name: np.asarray(array, np.float32) for name, array in named.items()}
        layers = mapping.own_layers
        strange = [name for name in found if _layer(name) not in layers]
        missing = [one for one in layers if one not in map(_layer, found)]
    else:
        placed = {name: mapping.place(name, array) for name, array in named.items()}
        strange = [name for name, place in placed.items() if place is None]
        found = dict(place for place in placed.values() if place and place[0])
        units = {path.split('/', 1)[1].rpartition('/')[0] for path in found}
        missing = [one for one, path in mapping.layers.items() if path not in units]
    if strange or missing:
        raise ValueError(
            f'these are not the weights of {mapping.name}: '
            + _say(('no place for', strange), ('nothing for', missing))
        )
    return found


def fitting(named: Mapping[str, np.ndarray]) -> list[str]:
    """The architectures whose names these are."""
    names = []
    for name, mapping in tables.MAPPINGS.items():
        with contextlib.suppress(ValueError):
            rename(named, mapping)
            names.append(name)
    return names


def convert(
    named: Mapping[str, np.ndarray],
    variables: PyTree,
    mapping: mappings.Mapping,
    skip: Sequence[str] = (),
) -> tuple[PyTree, PyTree]:
    """Parameters and other collections of a network, filled from a file.

    Statistics, and whatever else a norm keeps for each domain, go to every domain.
    Layers of the file that the network does not have (outside start_after and end_at, or the
    logits of one without classes) are left out.

    Args:
      named: arrays of a file, of the whole network.
      variables: what the network's init gives; shapes (jax.eval_shape) will do if
        nothing is skipped.
      mapping: one of MAPPINGS.
      skip: layers that keep their value, such as new 'logits'. Patterns as of a shell.

    Raises:
      ValueError: arrays of another architecture, missing ones, misshapen ones.
    """
    found = rename(named, mapping)
    leaves = flax.traverse_util.flatten_dict(variables, sep='/')
    layers = list(dict.fromkeys(_layer(name) for name in leaves))
    for pattern in skip:
        if not fnmatch.filter(layers, pattern):
            raise ValueError(f'skip: no layer {pattern!r}; there is {layers}')
    kept = {layer for p in skip for layer in fnmatch.filter(layers, p)}

    ours = [name for name in leaves if _layer(name) not in kept]
    missing = [name for name in ours if name not in found]
    strange = [
        name
        for name in found
        if _layer(name) in layers and _layer(name) not in kept and name not in leaves
    ]
    if missing or strange:
        raise ValueError(
            f'the weights of {mapping.name} do not fit the network: '
            + _say(('no place for', strange), ('nothing for', missing))
        )
    filled = {name: _fit(name, found[name], leaves[name].shape) for name in ours}
    result = flax.traverse_util.unflatten_dict({**leaves, **filled}, sep='/')
    return result.pop('params'), result


def as_convolutions(params: PyTree, side: int) -> PyTree:
    """fc6, fc7 and logits of AlexNet or VGG as kernels of convolutions.

    fc6 (side side c, k) -> (side, side, c, k), the others (d, k) -> (1, 1, d, k); the
    same numbers in the same order, and the parameters of `convolutional=True`.
    """
    changed = dict(params)
    for layer in ('fc6', 'fc7', 'logits'):
        if layer in params:
            window = side if layer == 'fc6' else 1
            kernel = params[layer]['kernel']
            kernel = kernel.reshape(window, window, -1, kernel.shape[-1])
            changed[layer] = {**params[layer], 'kernel': kernel}
    return changed


def _fit(name: str, array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The array as a leaf of this shape.

    It is repeated for every domain where the leaf has a row for each; and a dense
    layer's kernel serves a convolution over the whole map, and the reverse.
    """
    shape = tuple(shape)
    if array.ndim == 1 and shape[1:] == array.shape:
        return np.broadcast_to(array, shape).copy()
    if {array.ndim, len(shape)} == {2, 4} and array.size == math.prod(shape):
        return array.reshape(shape)
    if array.shape != shape:
        raise ValueError(f'{name} has shape {array.shape} in the file, not {shape}')
    return array


def _layer(name: str) -> str:
    return name.split('/')[1]


def _say(*parts: tuple[str, Sequence[str]]) -> str:
    """'no place for a, b and 7 more; nothing for c'."""
    said = []
    for what, names in parts:
        if names:
            more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
            said.append(f'{what} {", ".join(names[:SHOWN])}{more}')
    return '; '.join(said)
