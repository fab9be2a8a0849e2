"""Grids of configs from the command line, and which of them share a program."""

import contextlib
import dataclasses
import io
import itertools
import types
import typing
from collections.abc import Sequence
from typing import Any

import tyro

PREFIX = 'config.'


def configs(config: Any, axes: Sequence[str]) -> list[Any]:
    """Every combination of the values in `axes`, in their order, the last fastest.

    Args:
      config: the values of all other fields.
      axes: such as 'config.rate=1e-3,1e-2'; one value is a setting for all. Commas
        separate values, and spaces the items of a tuple: 'config.counts=5 10,20 30' is
        (5, 10) and (20, 30), and 'config.counts=' is the empty tuple. 'None' and
        'default' are None where a field may be None.

    Raises:
      ValueError: no such field, a value of another type, or an axis given twice.
    """
    values_of = [_axis(config, axis) for axis in axes]
    names = [name for name, _ in values_of]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f'--grid names {name!r} twice; give all its values at once'
            )
    combinations = itertools.product(*(values for _, values in values_of))
    configs = [
        dataclasses.replace(config, **dict(zip(names, values, strict=True)))
        for values in combinations
    ]
    return list(dict.fromkeys(configs))


def only(configs: Sequence[Any], axes: Sequence[str]) -> list[Any]:
    """The configs with one of the values of every axis, see `configs`.

    Raises:
      ValueError: no such field, a value of another type, or no config is left.
    """
    left = list(configs)
    for axis in axes if left else ():
        name, values = _axis(left[0], axis)
        found = {repr(getattr(config, name)): None for config in left}
        left = [config for config in left if getattr(config, name) in values]
        if not left:
            raise ValueError(
                f'--only {axis!r} leaves no config; of field {name!r} there are: '
                f'{", ".join(found)}'
            )
    return left


def groups(configs: Sequence[Any], traced: Sequence[str]) -> list[list[Any]]:
    """Lists of configs that differ only in the traced numbers, in their first order.

    Raises:
      ValueError: no such field, or a traced field that is no real number.
    """
    groups: dict[Any, list[Any]] = {}
    for config in configs:
        groups.setdefault(_without(config, traced), []).append(config)
    return list(groups.values())


def _without(config, traced):
    """The config with zeros for its traced numbers."""
    zeros = {}
    for name in traced:
        _known(config, name)
        value = getattr(config, name)
        if isinstance(value, int | str | bool):
            raise ValueError(
                f'field {name!r} is {value!r}, which decides what is built: only real '
                'numbers can differ within one program, leave it out of --traced'
            )
        if isinstance(value, float):
            zeros[name] = 0.0
    return dataclasses.replace(config, **zeros)


def _axis(config, text) -> tuple[str, list[Any]]:
    name, equals, values = text.partition('=')
    if not equals:
        raise ValueError(f'{text!r}: write FIELD=VALUE,VALUE')
    name = name.removeprefix(PREFIX)
    _known(config, name)
    hint = typing.get_type_hints(type(config))[name]
    return name, [_value(name, hint, value) for value in values.split(',')]


def _known(config, name) -> None:
    names = [field.name for field in dataclasses.fields(config)]
    if name not in names:
        raise ValueError(f'no field {name!r}; there are: {", ".join(names)}')


def _value(name, hint, text) -> Any:
    """The text as a value of the type. tyro reads all but strings."""
    union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    kinds = typing.get_args(hint) if union else (hint,)
    if text in ('None', 'default') and type(None) in kinds:
        return None
    if str in kinds:
        return text
    is_tuple = any(typing.get_origin(kind) is tuple for kind in kinds)
    args = text.split() if is_tuple else [text]
    printed = io.StringIO()  # tyro prints its usage and exits
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            return tyro.cli(hint, args=args, console_outputs=False)
    except SystemExit:
        raise ValueError(
            f'field {name!r} takes {_type_name(hint)}, not {text!r}'
        ) from None


def _type_name(hint) -> str:
    """Such as 'int', 'tuple[int, ...]' or "Literal['a', 'b']", with the choices."""
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__name__
    return str(hint).replace('typing.', '')
