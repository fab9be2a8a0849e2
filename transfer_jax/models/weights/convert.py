"""Converts named arrays of a file to the variables of a network."""

import fnmatch
import math
from collections.abc import Mapping, Sequence

import flax.traverse_util
import numpy as np

from transfer_jax.models.weights import mappings, prefixes, tables
from transfer_jax.types import PyTree

SHOWN = 4  # names in a message
COLLECTIONS = ('params', 'batch_stats')  # our names begin with one of them


def rename(
    named: Mapping[str, np.ndarray], mapping: mappings.Mapping
) -> dict[str, np.ndarray]:
    """{'params/layer/.../kernel': array} with our names and layouts, in float32.

    Arrays that already have our names keep them. Names of modules around the network,
    such as 'module.backbone.', are removed (mapping.style.wrappers); arrays outside
    these modules are left out, as are those of another head in the classifier's place.
    The layers of `mapping.head` may be absent, as in the file of an encoder.

    Raises:
      ValueError: the mapping does not know a name, or a layer of it has no array: the
        weights are of another architecture. The message names the remedy where there
        is one.
    """
    renamed, unknown, missing = _translated(named, mapping)
    if unknown or missing:
        raise ValueError(
            f'these are not the weights of {mapping.name}: '
            + _message(('unknown names', unknown), ('nothing for', missing))
            + (_remedy(named, mapping) if missing else _OTHER_HEADS)
        )
    return renamed


def fitting(named: Mapping[str, np.ndarray]) -> list[str]:
    """Names of the architectures whose arrays have these names."""
    return [
        name
        for name, mapping in tables.MAPPINGS.items()
        if not any(_translated(named, mapping)[1:])
    ]


def convert(
    named: Mapping[str, np.ndarray],
    variables: PyTree,
    mapping: mappings.Mapping,
    skip: Sequence[str] = (),
) -> tuple[PyTree, PyTree]:
    """Parameters and other collections of a network, filled from a file.

    Arrays of a norm, such as its statistics, are copied to every domain. Layers of the
    file that the network does not have are left out: those outside start_after and
    end_at, and the logits if the network has no classes. A file without a classifier
    fits a network with classes=0, and any network that skips its classifier.

    Args:
      named: arrays of a file, of the whole network or of an encoder.
      variables: the result of the network's init; shapes (jax.eval_shape) are enough if
        nothing is skipped.
      mapping: one of MAPPINGS.
      skip: layers that keep their initial value, such as new 'logits'; shell patterns.
        Those that the network does not have change nothing.

    Raises:
      ValueError: arrays of another architecture, missing arrays, or wrong shapes.
    """
    renamed = rename(named, mapping)
    leaves = flax.traverse_util.flatten_dict(variables, sep='/')
    layers = list(dict.fromkeys(_layer(name) for name in leaves))
    for pattern in skip:
        if not fnmatch.filter([*layers, *mapping.our_layers], pattern):
            raise ValueError(f'skip: no layer {pattern!r}; choose from {layers}')
    skipped = {layer for p in skip for layer in fnmatch.filter(layers, p)}

    wanted = [name for name in leaves if _layer(name) not in skipped]
    missing = [name for name in wanted if name not in renamed]
    unknown = [
        name
        for name in renamed
        if _layer(name) in layers and _layer(name) not in skipped and name not in leaves
    ]
    if missing or unknown:
        raise ValueError(
            f'the weights of {mapping.name} do not fit the network: '
            + _message(('unknown names', unknown), ('nothing for', missing))
            + _absent_head(renamed, mapping, layers, skipped)
        )
    filled = {name: _fit(name, renamed[name], leaves[name].shape) for name in wanted}
    result = flax.traverse_util.unflatten_dict({**leaves, **filled}, sep='/')
    return result.pop('params'), result


def as_convolutions(params: PyTree, side: int) -> PyTree:
    """Reshape fc6, fc7 and logits of AlexNet or VGG to kernels of convolutions.

    fc6 (side side c, k) -> (side, side, c, k), the others (d, k) -> (1, 1, d, k), with
    the same numbers in the same order. The result fits `convolutional=True`.
    """
    changed = dict(params)
    for layer in ('fc6', 'fc7', 'logits'):
        if layer in params:
            window = side if layer == 'fc6' else 1
            kernel = params[layer]['kernel']
            kernel = kernel.reshape(window, window, -1, kernel.shape[-1])
            changed[layer] = {**params[layer], 'kernel': kernel}
    return changed


def _translated(
    named: Mapping[str, np.ndarray], mapping: mappings.Mapping
) -> tuple[dict[str, np.ndarray], list[str], list[str]]:
    """(renamed arrays, names without a place, their layers without an array)."""
    if all(name.split('/')[0] in COLLECTIONS for name in named):
        renamed = {name: np.asarray(array, np.float32) for name, array in named.items()}
        layers = mapping.our_layers
        unknown = [name for name in renamed if _layer(name) not in layers]
        needed = [layer for layer in layers if layer not in mapping.head]
        missing = [layer for layer in needed if layer not in map(_layer, renamed)]
        return renamed, unknown, missing
    prefix = prefixes.wrapper(named, mapping)
    entries = {
        name: mapping.translate(name.removeprefix(prefix), array)
        for name, array in named.items()
        if name.startswith(prefix)
    }
    unknown = [name for name, entry in entries.items() if entry is None]
    renamed = dict(entry for entry in entries.values() if entry and entry[0])
    units = {path.split('/', 1)[1].rpartition('/')[0] for path in renamed}
    missing = [
        name
        for name, path in mapping.layers.items()
        if path not in units and path.split('/')[0] not in mapping.head
    ]
    return renamed, unknown, missing


def _remedy(named: Mapping[str, np.ndarray], mapping: mappings.Mapping) -> str:
    """What to do about names that do not fit; '' where nothing is known."""
    below = prefixes.fitting(named, mapping)
    if len(below) > 1:
        listed = ' and '.join(map(repr, below[:SHOWN]))
        return f'. Its names fit below {listed}: give the arrays of one of them'
    if below and below != [prefixes.wrapper(named, mapping)]:
        return (
            f'. Its names fit below {below[0]!r}: give '
            f'{{name.removeprefix({below[0]!r}): array}} of these arrays'
        )
    others = fitting(named)
    return f'. They fit {", ".join(others[:SHOWN])}' if others else ''


def _absent_head(renamed, mapping, layers, skipped) -> str:
    """The remedy if the file lacks layers of the head that the network has."""
    there = set(map(_layer, renamed))
    absent = [
        layer
        for layer in mapping.head
        if layer in layers and layer not in skipped and layer not in there
    ]
    if not absent:
        return ''
    paths = {**mapping.layers, **mapping.arrays}
    theirs = [k for k, path in paths.items() if path.split('/')[0] in absent]
    cut = 'classes=0' if absent == ['logits'] else 'end_at at a layer below'
    return (
        f'. The file has no arrays for {", ".join(theirs)}: build the network with '
        f'{cut}, or skip={tuple(absent)!r} to leave initial values'
    )


def _fit(name: str, array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The array as a leaf of this shape.

    If the leaf has a row per domain, the array is repeated for every domain. The kernel
    of a dense layer is reshaped to that of a convolution over the whole map, and the
    other way round.
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


def _message(*parts: tuple[str, Sequence[str]]) -> str:
    """'unknown names a, b and 7 more; nothing for c'."""
    clauses = []
    for what, names in parts:
        if names:
            more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
            clauses.append(f'{what} {", ".join(names[:SHOWN])}{more}')
    return '; '.join(clauses)


_OTHER_HEADS = '. Leave arrays of other heads, such as projectors, out of the file'
