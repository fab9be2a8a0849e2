"""The list of the lectures' experiments, as text."""

import dataclasses
import sys
from collections.abc import Iterator, Sequence

import tyro

from experiments.lectures import catalogue
from experiments.lectures.item import Item
from transfer_jax import cli
from transfer_jax.data import files, known
from transfer_jax.recipes import backbones


@dataclasses.dataclass(frozen=True)
class Command:
    """List what the lectures show: commands with the real data, and what they need."""

    lecture: tyro.conf.Positional[str] = ''
    """One of the lectures, by its number. Default: all."""
    data_dir: str | None = None
    """Data folder(s), separated by ':'. Default: $TRANSFER_JAX_DATA, else
    ~/tensorflow_datasets."""
    debug: bool = False
    """Show the traceback of an error."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command in `args`, by default that of the command line."""
    command = tyro.cli(Command, prog='python -m experiments lectures', args=args)
    with cli.errors(command.debug):
        sys.stdout.write(text(command.lecture, command.data_dir))


def text(lecture: str = '', data_dir: str | None = None) -> str:
    """The lines of one lecture, or of all.

    Raises:
      ValueError: there is no such lecture.
    """
    if lecture and lecture not in catalogue.LECTURES:
        choices = ', '.join(catalogue.LECTURES)
        raise ValueError(f'no lecture {lecture!r}; choose from {choices}')
    lines = []
    for number, title in catalogue.LECTURES.items():
        if lecture in ('', number):
            lines += [f'{number}. {title}', '']
            for item in catalogue.of(number):
                lines += [*_lines(item, data_dir), '']
    lines += [
        'GPU time is estimated: images times passes at the rate measured for ResNet-50 '
        'in bfloat16,',
        'scaled by the multiplications of the network. docs/lectures.md has what was '
        'run.',
    ]
    return '\n'.join(lines) + '\n'


def _lines(item: Item, data_dir: str | None) -> Iterator[str]:
    yield f'  {item.title}'
    if item.out:
        yield f'    not here: {item.out}'
    if item.command:
        yield f'    {item.command}'
    needs = [*_data(item, data_dir), *_weights(item, data_dir)]
    if needs:
        yield f'    needs {", ".join(needs)}'
    if item.published:
        yield f'    published: {item.published}'
    if item.cost:
        yield f'    GPU: {time(item)}'


def time(item: Item) -> str:
    """'36 h', '46 min' or 'under a minute'."""
    minutes = 60 * item.hours
    if minutes < 1:
        return 'under a minute'
    return f'{minutes:.0f} min' if minutes < 60 else f'{item.hours:,.2g} h'


def _data(item: Item, data_dir: str | None) -> Iterator[str]:
    dirs = files.data_dirs(data_dir)
    for name in item.data:
        missing = '' if files.present(name, dirs) else ' (missing)'
        folder = known.KNOWN[name].layouts[0][0].rsplit('/', 1)[0]
        yield f'{name} in {folder.split("*")[0].rstrip("/")}/{missing}'


def _weights(item: Item, data_dir: str | None) -> Iterator[str]:
    for name in item.weights:
        try:
            backbones.locate(name, data_dir)
            missing = ''
        except files.MissingData:
            missing = ' (missing)'
        yield f'{backbones.get(name).file}{missing}'
