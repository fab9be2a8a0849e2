"""Data sets: list them, prepare them, look at samples.

python -m experiments.data list
python -m experiments.data prepare NAME [--from FOLDER]
python -m experiments.data show NAME
"""

import contextlib
import dataclasses
import pathlib
import sys
import warnings
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import rich.box
import rich.console
import rich.table
import tyro

from transfer_jax import data
from transfer_jax.data import prepare

COLUMNS, TRAIN_ROWS, TEST_ROWS = 12, 5, 3
FULL_WIDTH, PIPE_WIDTH = 135, 200  # columns of text: the list of domains, and no limit

DataDir = Annotated[str | None, tyro.conf.arg(metavar='PATH')]


@dataclasses.dataclass(frozen=True)
class List:
    """List the domains, and whether their files are present."""

    data_dir: DataDir = None
    """Where to search: default $TRANSFER_JAX_DATA, else ~/tensorflow_datasets."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclasses.dataclass(frozen=True)
class Prepare:
    """Fetch, convert or generate a data set."""

    name: tyro.conf.Positional[str]
    """A domain of the list, a data set it is made from (bsds500), or tfds:NAME."""
    unpacked: Annotated[str | None, tyro.conf.arg(name='from', metavar='FOLDER')] = None
    """Folder of the publisher's unpacked files, for data sets that are not fetched."""
    data_dir: DataDir = None
    """Where to write: default $TRANSFER_JAX_DATA, else ~/tensorflow_datasets."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclasses.dataclass(frozen=True)
class Show:
    """Draw a grid of samples with their labels."""

    name: tyro.conf.Positional[str]
    """A domain of the list, folder:PATH, npz:PATH or tfds:NAME."""
    size: int | None = None
    """Side of the images in pixels; by default that of the domain, else 64."""
    to: pathlib.Path | None = None
    """The picture to write; by default NAME.png in the current folder."""
    skip_unreadable: bool = False
    """Leave out files of a folder that cannot be read; their names are shown."""
    large_images: bool = False
    """Also read images of a folder above Pillow's limit, about 179 million pixels."""
    data_dir: DataDir = None
    """Where to search: default $TRANSFER_JAX_DATA, else ~/tensorflow_datasets."""
    debug: bool = False
    """Show the traceback of an error."""


def main(args: list[str] | None = None) -> None:
    """Runs the command in `args`, by default that of the command line."""
    command = tyro.cli(
        List | Prepare | Show,
        prog='python -m experiments.data',
        description='Data sets: list them, prepare them, look at samples.',
        args=args,
    )
    console = rich.console.Console(highlight=False)
    with _errors(console, command.debug):
        if isinstance(command, List):
            show_list(console, command)
        elif isinstance(command, Prepare):
            show_prepared(console, command)
        else:
            show_samples(console, command)


def show_list(console: rich.console.Console, command: List) -> None:
    """Prints a table of the domains."""
    if not console.is_terminal:  # a pipe has no width
        console.width = PIPE_WIDTH
    narrow = console.width < FULL_WIDTH
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for column in ('name', 'what', 'train / test', 'size', 'files', 'present'):
        if not (narrow and column == 'what'):
            table.add_column(column, no_wrap=True)
    for line in data.describe(command.data_dir):
        table.add_row(
            line.name,
            *([] if narrow else [line.description]),
            line.counts,
            str(line.size),
            line.folders,
            '[green]yes[/]' if line.present else '[red]no[/]',
        )
    console.print(table)
    console.print(_others(command.data_dir, narrow))
    if narrow:
        _print(
            console, f'a terminal of {FULL_WIDTH} columns shows the descriptions, too'
        )
    dirs = ', '.join(str(folder) for folder in data.domains.data_dirs(command.data_dir))
    _print(console, f'looked in: {dirs}')
    _print(console, 'also: folder:PATH, npz:PATH, tfds:NAME')


def _others(data_dir: str | None, narrow: bool) -> rich.table.Table:
    """The table of the sets that are no domains: boxes, classes of pixels."""
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    table.add_column('other sets', no_wrap=True)
    if not narrow:
        table.add_column('what', overflow='fold')
    table.add_column('files', no_wrap=True)
    table.add_column('present', no_wrap=True)
    for line in data.domains.describe_others(data_dir):
        table.add_row(
            line.name,
            *([] if narrow else [line.description]),
            line.folders,
            '[green]yes[/]' if line.present else '[red]no[/]',
        )
    return table


def show_prepared(console: rich.console.Console, command: Prepare) -> None:
    """Prepares a data set and prints its paths."""
    with console.status(f'preparing {command.name}'):
        paths = prepare.prepare(
            command.name, data_dir=command.data_dir, unpacked=command.unpacked
        )
    for path in paths:
        _print(console, f'{command.name}: {path}')
    if not paths:
        _print(console, f'{command.name} needs no files')


def show_samples(console: rich.console.Console, command: Show) -> None:
    """Draws samples of both parts; prints the counts of the classes and the path."""
    named = data.domains.NAMED.get(command.name)
    size = command.size or (named.size if named else 64)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always', UserWarning)
        domain = data.load(
            command.name,
            size=size,
            data_dir=command.data_dir,
            skip_unreadable=command.skip_unreadable,
            large_images=command.large_images,
        )
    for warning in caught:
        _print(console, f'warning: {warning.message}')
    plain = ''.join(c if c.isalnum() else '_' for c in domain.name)
    path = command.to or pathlib.Path(f'{plain}.png')
    try:
        draw_grid(domain, path)
    except OSError as error:
        raise ValueError(f'{path}: cannot be written ({error.strerror})') from None
    for split, part in (('train', domain.train), ('test', domain.test)):
        counts = np.bincount(part.label, minlength=len(domain.classes))
        pairs = zip(domain.classes, counts, strict=True)
        line = ', '.join(f'{name} {count}' for name, count in pairs)
        _print(console, f'{split}: {len(part)} images ({line})')
    _print(console, f'samples: {path}')


def draw_grid(domain: data.Domain, path: pathlib.Path) -> None:
    """Writes a picture: random training images above, test images below."""
    from matplotlib import figure

    size = domain.train.image.shape[1]
    cell = size * 1.25  # leaves room for the label
    rows = TRAIN_ROWS + TEST_ROWS
    picture = figure.Figure(figsize=(COLUMNS, rows * 1.08), layout='tight')
    axes = picture.subplots()
    axes.set_title(f'{domain.name}: training images above, test images below')
    axes.axis('off')
    for part, first, count in (
        (domain.train, 0, TRAIN_ROWS * COLUMNS),
        (domain.test, TRAIN_ROWS, TEST_ROWS * COLUMNS),
    ):
        chosen = np.random.default_rng(0).permutation(len(part))[:count]
        for number, item in enumerate(part[i] for i in chosen):
            y, x = cell * (first + number // COLUMNS), cell * (number % COLUMNS)
            extent = (x, x + size, y + size, y)
            axes.imshow(item['image'], extent=extent, interpolation='nearest')
            name = domain.classes[item['label']][:16]
            axes.text(x + size / 2, y - size / 30, name, fontsize=7, ha='center')
    axes.set(xlim=(0, COLUMNS * cell), ylim=(rows * cell, -cell / 4))
    picture.savefig(path, dpi=110)


@contextlib.contextmanager
def _errors(console: rich.console.Console, debug: bool) -> Iterator[None]:
    """Shows an error that a user can cause in one message, and exits with code 2."""
    try:
        yield
    except ValueError as error:
        if debug:
            raise
        _print(console, f'error: {error}')
        sys.exit(2)


def _print(console: rich.console.Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


if __name__ == '__main__':
    main()
