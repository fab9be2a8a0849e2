"""Grids of configs from the command line, and which of them share a program."""

import ast
import dataclasses
import itertools
import types
import typing
from collections.abc import Sequence
from typing import Any

PREFIX = 'config.'


def configs(config: Any, axes: Sequence[str]) -> list[Any]:
    """Every combination of the values in `axes`, in their order, the last fastest.

    Args:
      config: what the other fields are taken from.
      axes: such as 'config.rate=1e-3,1e-2'; one value is a setting for all.

    Raises:
      ValueError: no such field, a value of another type, or an axis given twice.
    """
    read = [_axis(config, axis) for axis in axes]
    names = [name for name, _ in read]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f'--grid names {name!r} twice; give all its values at once'
            )
    combinations = itertools.product(*(values for _, values in read))
    made = [
        dataclasses.replace(config, **dict(zip(names, values, strict=True)))
        for values in combinations
    ]
    return list(dict.fromkeys(made))


def groups(made: Sequence[Any], traced: Sequence[str]) -> list[list[Any]]:
    """The configs, those together that differ in no more than the traced numbers.

    Raises:
      ValueError: no such field, or one that is no real number.
    """
    found: dict[Any, list[Any]] = {}
    for config in made:
        found.setdefault(_without(config, traced), []).append(config)
    return list(found.values())


def _without(config, traced):
    """The config with its traced numbers blotted out."""
    blots = {}
    for name in traced:
        _known(config, name)
        value = getattr(config, name)
        if isinstance(value, int | str | bool):
            raise ValueError(
                f'field {name!r} is {value!r}, which decides what is built: only real '
                'numbers can differ within one program, leave it out of --traced'
            )
        if isinstance(value, float):
            blots[name] = 0.0
    return dataclasses.replace(config, **blots)


def _axis(config, text) -> tuple[str, list[Any]]:
    name, equals, values = text.partition('=')
    if not equals:
        raise ValueError(f'--grid {text!r}: write FIELD=VALUE,VALUE')
    name = name.removeprefix(PREFIX)
    _known(config, name)
    kind = typing.get_type_hints(type(config))[name]
    return name, [_value(name, kind, value) for value in values.split(',')]


def _known(config, name) -> None:
    names = [field.name for field in dataclasses.fields(config)]
    if name not in names:
        raise ValueError(f'no field {name!r}; there are: {", ".join(names)}')


def _value(name, kind, text) -> Any:
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if text in ('None', 'default') and type(None) in kinds:
        return None
    if str in kinds:
        return text
    for choice in kinds:
        if typing.get_origin(choice) is typing.Literal and text in choice.__args__:
            return text
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        value = text
    if float in kinds and type(value) in (int, float):
        return float(value)
    if type(value) in kinds:
        return value
    raise ValueError(f'field {name!r} takes {_told(kind)}, not {text!r}')


def _told(kind) -> str:
    return getattr(kind, '__name__', str(kind))
