"""Files of weights: list their arrays, convert them to this library's names.

python -m experiments.weights inspect FILE
python -m experiments.weights convert FILE --to OUT.safetensors --architecture NAME

A file is .safetensors or .npz, or .pth, .pt, .th if PyTorch is installed.
"""

import dataclasses
import math
import pathlib
from collections.abc import Iterator
from typing import Annotated

import rich.console
import tyro

from transfer_jax import cli
from transfer_jax.models import weights


@dataclasses.dataclass(frozen=True)
class Inspect:
    """List the arrays of a file and the architectures that its names fit."""

    file: tyro.conf.Positional[pathlib.Path]
    """.safetensors or .npz, or .pth, .pt, .th if PyTorch is installed."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclasses.dataclass(frozen=True)
class Convert:
    """Write the weights with this library's names and layouts, in float32."""

    file: tyro.conf.Positional[pathlib.Path]
    """.safetensors or .npz, or .pth, .pt, .th if PyTorch is installed."""
    to: Annotated[pathlib.Path, tyro.conf.arg(metavar='OUT.safetensors')]
    """The file to write; an existing file is not overwritten."""
    architecture: Annotated[str, tyro.conf.arg(metavar='NAME')]
    """Whose names the file has: one of transfer_jax.models.weights.MAPPINGS."""
    debug: bool = False
    """Show the traceback of an error."""


def main(args: list[str] | None = None) -> None:
    """Runs the command in `args`, by default that of the command line."""
    command = tyro.cli(
        Inspect | Convert,
        prog='python -m experiments.weights',
        description='Files of weights: list their arrays, convert them to the names of '
        f'this library. Architectures: {", ".join(weights.MAPPINGS)}.',
        args=args,
    )
    console = rich.console.Console(highlight=False)
    with cli.errors(command.debug):
        run = inspect if isinstance(command, Inspect) else convert
        for line in run(command):
            _print(console, line)


def inspect(command: Inspect) -> Iterator[str]:
    """Lines: every array, their number, the architectures that they fit."""
    named = weights.read(command.file)
    width = max(map(len, named), default=0)
    for name, array in named.items():
        yield f'{name:<{width}}  {array.dtype!s:<8} {array.shape}'
    count = sum(math.prod(array.shape) for array in named.values())
    yield f'{len(named)} arrays, {count:,} numbers'
    yield f'fits: {", ".join(weights.fitting(named)) or "no architecture here"}'


def convert(command: Convert) -> Iterator[str]:
    """Writes the file; yields a line to print."""
    if command.architecture not in weights.MAPPINGS:
        raise ValueError(
            f'no architecture {command.architecture!r}; there is '
            f'{", ".join(weights.MAPPINGS)}'
        )
    if command.to.suffix != '.safetensors':
        raise ValueError(f'{command.to}: the file to write ends in .safetensors')
    if command.to.exists():
        raise ValueError(f'{command.to} exists already')
    named = weights.read(command.file)
    renamed = weights.rename(named, weights.MAPPINGS[command.architecture])
    weights.write(command.to, renamed)
    yield f'{command.to}: {len(renamed)} arrays of {command.architecture}'


def _print(console: rich.console.Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


if __name__ == '__main__':
    main()
