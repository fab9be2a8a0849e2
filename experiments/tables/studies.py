"""Tables of the studies from their result files, each with the command that made it."""

import dataclasses
import importlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.localization import paired
from transfer_jax.reports import grids, study_tables

# The experiments of the table `transfer`, in the order of the lectures.
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
# The experiments of the table `localization`.
LOCALIZATION = (
    'localization.fruit',
    'localization.scenes',
    'localization.multi_label',
    'localization.classification',
    'localization.segmentation',
    'localization.weak_segmentation',
    'localization.camvid',
)
# The experiments of the table `zero_shot`.
ZERO_SHOT = ('zero_shot.cub', 'zero_shot.photos')
TABLES = {
    'transfer': TRANSFER,
    'localization': LOCALIZATION,
    'zero_shot': ZERO_SHOT,
}


def text(results: Sequence[dict], table: str) -> str:
    """The studies of a table as plain text."""
    return '\n\n\n'.join(
        f'{_title(result)}\n\n{study_tables.text(result)}\n{_paired(result, False)}'
        f'{command(result)}'
        for result in in_order(results, table)
    )


def markdown(results: Sequence[dict], table: str, experiment: str = '') -> str:
    """The studies of a table in GitHub's markdown, with a heading for each experiment.

    Args:
      experiment: only the studies of this experiment, without heading.
    """
    parts, with_heading = [], {experiment}
    for result in in_order(results, table):
        if experiment and result['experiment'] != experiment:
            continue
        if result['experiment'] not in with_heading:
            parts.append(f'#### {_title(result)}')
            with_heading.add(result['experiment'])
        parts += [study_tables.markdown(result), _paired(result, True)]
        parts.append(f'    {command(result)}')
    return '\n\n'.join(filter(None, parts))


def missing(results: Sequence[dict], table: str) -> list[dict[str, str]]:
    """The experiments without a result, and the commands that make one."""
    present = {result['experiment'] for result in results}
    return [
        {'task': name, 'method': 'all', 'command': f'python -m experiments.{name}'}
        for name in TABLES[table]
        if name not in present
    ]


def in_order(results: Sequence[dict], table: str) -> list[dict]:
    """The results of a table, in the order of its experiments."""
    names = TABLES[table]
    known = [result for result in results if result['experiment'] in names]
    return sorted(known, key=lambda r: (names.index(r['experiment']), r['task']))


def command(result: Mapping[str, Any]) -> str:
    """The command that made a result, with the flags that differ from the defaults."""
    name = f'experiments.{result["experiment"]}'
    config = importlib.import_module(name).Config()
    flags = []
    for field in dataclasses.fields(config):
        default, value = getattr(config, field.name), result['config'].get(field.name)
        if isinstance(default, tuple):
            default = list(default)
        if value is None or value == default:
            continue
        flag = f'--config.{field.name.replace("_", "-")}'
        if isinstance(value, bool):
            flags.append(flag if value else f'--config.no-{flag[len("--config.") :]}')
        elif isinstance(value, list):
            flags.append(' '.join([flag, *map(str, value)]))
        else:
            flags.append(f'{flag} {shlex.quote(str(value))}')
    return ' '.join([f'python -m {name}', *flags])


def _paired(result: Mapping[str, Any], markdown: bool) -> str:
    """Differences between methods in the same fold, for experiments that have PAIRS."""
    module = importlib.import_module(f'experiments.{result["experiment"]}')
    pairs = getattr(module, 'PAIRS', None)
    if pairs is None:
        return ''
    head, body = paired.table(result['rows'], pairs)
    if not body:
        return ''
    form = grids.markdown if markdown else grids.text
    lines = form(head, body, (head[0],))
    note = (
        f'Each minus {pairs.against} in the same {pairs.over}: mean ± standard '
        'deviation, and in how many of them it is above.'
    )
    return '\n'.join([note, '', *lines]) + ('' if markdown else '\n\n')


def _title(result: Mapping[str, Any]) -> str:
    module = importlib.import_module(f'experiments.{result["experiment"]}')
    return module.__doc__.strip().partition('\n')[0].rstrip('.')
