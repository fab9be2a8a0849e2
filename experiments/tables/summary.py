"""The one table of README.md: a few rows with the published number beside ours."""

import dataclasses
from collections.abc import Callable, Sequence

from transfer_jax.reports import averages, grids, tables


@dataclasses.dataclass(frozen=True)
class Line:
    """A row, and where it is found."""

    table: str  # a name of adaptation.NAMED
    task: str  # as the rows of that table name it
    method: str
    title: str  # of the task, for the README


_MNIST_M, _USPS, _MNIST = 'MNIST -> MNIST-M', 'MNIST -> USPS', 'USPS -> MNIST'
LINES = (
    Line('ganin', 'mnist_to_mnist_m, full', 'source_only', _MNIST_M),
    Line('ganin', 'mnist_to_mnist_m, full', 'dann', _MNIST_M),
    Line('ganin', 'mnist_to_mnist_m, full', 'train_on_target', _MNIST_M),
    Line('adda', 'mnist_to_usps, adda', 'source_only', _USPS),
    Line('digits', 'mnist_to_usps, adda', 'dann', _USPS),
    Line('adda', 'mnist_to_usps, adda', 'adda', _USPS),
    Line('digits', 'usps_to_mnist, adda', 'source_only', _MNIST),
    Line('digits', 'usps_to_mnist, adda', 'adda', _MNIST),
)
NORMS = ('', 'none')  # of the papers' networks
TITLES = {'dann': 'DANN', 'adda': 'ADDA'}
HEAD = ('task', 'method', 'ours', 'interval', 'published', 'n')
LEGEND = (
    'Target accuracy in %, at the last step: mean ± standard deviation over n seeds, '
    "and the 95 % interval of the mean by Student's t."
)

# The rows of a named table: command.build on the result files.
Rows = Callable[[str], Sequence[tables.Row]]


def rows(of: Rows) -> list[list[str]]:
    """The cells of each line; see HEAD. Empty where no line has a result."""
    by_table = {name: of(name) for name in {line.table for line in LINES}}
    made, body = False, []
    for line in LINES:
        found = [
            row
            for row in by_table[line.table]
            if (row.task, row.method) == (line.task, line.method)
            and row.seeds
            and row.norm in NORMS
            and 'weight' not in row.differs  # another than the published one
        ]
        made = made or bool(found)
        body += [_cells(line, row) for row in found or [None]]
    return body if made else []


def markdown(of: Rows) -> str:
    """The table in GitHub's markdown; empty without results."""
    body = rows(of)
    return '\n'.join([*grids.markdown(HEAD, body), '', _legend(body)]) if body else ''


def text(of: Rows) -> str:
    """The table as plain text; empty without results."""
    body = rows(of)
    return '\n'.join([*grids.text(HEAD, body), '', _legend(body)]) if body else ''


def as_json(of: Rows) -> list[dict[str, str]]:
    """The rows by heading."""
    return [dict(zip(HEAD, row, strict=True)) for row in rows(of)]


def _legend(body: Sequence[Sequence[str]]) -> str:
    few = any(row[-1] and int(row[-1]) < tables.FEW for row in body)
    return f'{LEGEND} {tables.OF_FEW}' if few else LEGEND


def _cells(line: Line, row: tables.Row | None) -> list[str]:
    title = TITLES.get(line.method, line.method.replace('_', ' '))
    if row is None:
        return [line.title, title, tables.NOT_RUN, '', '', '']
    title += f' ({row.differs})' if row.differs else ''
    published = '' if row.published is None else f'{100 * row.published:.1f}'
    last = row.scores['last']
    ours, interval = averages.shown(last), averages.shown_interval(last)
    return [line.title, title, ours, interval, published, str(row.seeds)]
