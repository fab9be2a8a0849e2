"""Tables of the studies, from their result files, each with the command of its rows."""

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.localization import paired
from transfer_jax.reports import study_tables, tables

# The pages whose studies make the table `transfer`, in the order of the lectures.
TRANSFER = (
    'transfer.descriptors',
    'transfer.probing',
    'transfer.augmented_svm',
    'transfer.few_shot',
    'transfer.fine_tuning',
    'transfer.layer_transfer',
    'transfer.multi_task',
    'transfer.retrieval',
)
# Those that make the table `localization`.
LOCALIZATION = (
    'localization.fruit',
    'localization.scenes',
    'localization.segmentation',
    'localization.camvid',
)
TABLES = {'transfer': TRANSFER, 'localization': LOCALIZATION}


def text(results: Sequence[dict], table: str) -> str:
    """The tables of every study of a table as plain text."""
    return '\n\n\n'.join(
        f'{_title(result)}\n\n{study_tables.text(result)}\n{_paired(result, False)}'
        f'{command(result)}'
        for result in in_order(results, table)
    )


def markdown(results: Sequence[dict], table: str, page: str = '') -> str:
    """The tables of a table's studies in GitHub's markdown, a heading for each page.

    Args:
      page: the tables of this page alone, without heading.
    """
    parts, pages = [], {page}
    for result in in_order(results, table):
        if page and result['experiment'] != page:
            continue
        if result['experiment'] not in pages:
            parts.append(f'#### {_title(result)}')
            pages.add(result['experiment'])
        parts += [study_tables.markdown(result), _paired(result, True)]
        parts.append(f'    {command(result)}')
    return '\n\n'.join(filter(None, parts))


def missing(results: Sequence[dict], table: str) -> list[dict[str, str]]:
    """The pages that have no result yet, and the command that makes one."""
    there = {result['experiment'] for result in results}
    return [
        {'task': name, 'arm': 'all', 'command': f'python -m experiments.{name}'}
        for name in TABLES[table]
        if name not in there
    ]


def in_order(results: Sequence[dict], table: str) -> list[dict]:
    """The results of a table, page by page."""
    pages = TABLES[table]
    known = [result for result in results if result['experiment'] in pages]
    return sorted(known, key=lambda r: (pages.index(r['experiment']), r['task']))


def command(result: Mapping[str, Any]) -> str:
    """The command that made a result: what differs from the page's defaults."""
    name = f'experiments.{result["experiment"]}'
    config = importlib.import_module(name).Config()
    flags = []
    for field in dataclasses.fields(config):
        default, own = getattr(config, field.name), result['config'].get(field.name)
        if isinstance(default, tuple):
            default = list(default)
        if own is None or own == default:
            continue
        flag = f'--config.{field.name.replace("_", "-")}'
        if isinstance(own, bool):
            flags.append(flag if own else f'--config.no-{flag[len("--config.") :]}')
        elif isinstance(own, list):
            flags.append(' '.join([flag, *map(str, own)]))
        else:
            flags.append(f'{flag} {own}')
    return ' '.join([f'python -m {name}', *flags])


def _paired(result: Mapping[str, Any], markdown: bool) -> str:
    """The differences of arms that share folds, where the page asks for them."""
    page = importlib.import_module(f'experiments.{result["experiment"]}')
    pairs = getattr(page, 'PAIRS', None)
    if pairs is None:
        return ''
    head, body = paired.table(result['rows'], pairs)
    if not body:
        return ''
    form = tables.markdown_grid if markdown else tables.text_grid
    lines = form(head, body, (head[0],))
    told = (
        f'Each minus {pairs.against} in the same {pairs.over}: mean ± standard '
        'deviation, and in how many of them it is above.'
    )
    return '\n'.join([told, '', *lines]) + ('' if markdown else '\n\n')


def _title(result: Mapping[str, Any]) -> str:
    page = importlib.import_module(f'experiments.{result["experiment"]}')
    return page.__doc__.strip().partition('\n')[0].rstrip('.')
