"""Which results today's code and data may not give again.

A result is stale where the golden run of its method was recorded anew since it was
made, where its data differ from today's, or where the tables refuse it.
"""

import importlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from experiments.tables import result_files
from experiments.tasks import golden
from transfer_jax import data, runs
from transfer_jax.runs import provenance
from transfer_jax.training import log


class Checked(NamedTuple):
    """A result file and what is wrong with it."""

    path: pathlib.Path
    experiment: str
    method: str  # '' of a study
    task: str
    reasons: tuple[str, ...]  # none: today's code and data give it
    unknown: tuple[str, ...]  # what could not be compared


def check(roots: Iterable[pathlib.Path], data_dir: str | None = None) -> list[Checked]:
    """Every result below the folders, in the order of their files.

    Reads the data of each task once, where they are at hand.
    """
    today: dict[Any, tuple[str, str]] = {}
    found = []
    with log.console.status('reading data') as status:
        for path, content in result_files.read(roots):
            status.update(f'reading data of {path}')
            found.append(_check(path, content, data_dir, today))
    return found


def text(found: Iterable[Checked]) -> str:
    """A line for each result that is stale or cannot be compared."""
    found = list(found)
    stale = [one for one in found if one.reasons]
    unknown = [one for one in found if one.unknown and not one.reasons]
    parts = [f'{len(stale)} of {len(found)} results are stale.']
    parts += [f'  {one.path}: {"; ".join(one.reasons)}' for one in stale]
    if unknown:
        parts += ['', f'{len(unknown)} cannot be compared:']
        parts += [f'  {one.path}: {"; ".join(one.unknown)}' for one in unknown]
    return '\n'.join(parts)


def as_json(found: Iterable[Checked]) -> str:
    """The same, of all results."""
    rows = [{**one._asdict(), 'path': str(one.path)} for one in found]
    return json.dumps(rows, indent=1)


def earlier_code(result: Mapping[str, Any]) -> bool:
    """Whether the golden run of the method was recorded anew since a result was made.

    So it is of a result that notes none, of a method that has one today.
    """
    now = golden.digest(result.get('method', ''))
    return now is not None and any(
        start.get('golden') != now for start in provenance.starts(result)
    )


def _check(path, content, data_dir, today) -> Checked:
    reasons, unknown = [], []
    if refused := result_files.refusal(content):
        reasons.append(refused)
    method = content.get('method', '')
    starts = provenance.starts(content)
    if 'starts' not in content:
        unknown.append('made before results noted their data and golden run')
    else:
        noted = {start['golden'] for start in starts}
        now = golden.digest(method) if method else None
        if noted == {None} and method:
            unknown.append(f'no golden run of {method} was recorded')
        elif method and noted != {now}:
            reasons.append(f'the golden run of {method} was recorded anew')
        for start in starts[:1]:  # seeds draw from the same files
            _compare_data(content, start, data_dir, today, reasons, unknown)
    return Checked(
        path,
        content['experiment'],
        method,
        content['task'],
        tuple(reasons),
        tuple(unknown),
    )


def _compare_data(content, start, data_dir, today, reasons, unknown) -> None:
    if start['data'] is None:
        unknown.append('its data have no digest')
        return
    key = (content['experiment'], content['task'], start['seed'], start['data'])
    if key not in today:
        today[key] = _digest_today(content, start['seed'], data_dir)
    digest, why_not = today[key]
    if why_not:
        unknown.append(why_not)
    elif digest != start['data']:
        reasons.append('its data differ from those at hand')


def _digest_today(content, seed, data_dir) -> tuple[str, str]:
    """(digest of the data that the experiment reads now, or why there is none)."""
    module = importlib.import_module(f'experiments.{content["experiment"]}')
    try:
        config = runs.folder.config_of(module.Config, content['config'])
        built = module.build(config)
        if isinstance(built, runs.Study):
            return provenance.digest(built.prepare(data_dir)), ''
        return provenance.digest(built.data(seed, data_dir)), ''
    except (data.MissingData, ValueError) as error:
        return '', str(error).partition('\n')[0]
