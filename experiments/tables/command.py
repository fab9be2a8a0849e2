"""Tables from result files.

python -m experiments.table NAME [--json]     one table; an unknown NAME lists them
python -m experiments.table readme [--check]  rewrites, or checks, those of README.md
                                              and of docs/
"""

import dataclasses
import json
import pathlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

import tyro

from experiments.tables import (
    adaptation,
    benchmarks,
    conversions,
    methods,
    result_files,
    studies,
    summary,
)
from experiments.tables import shallow as shallow_tables
from experiments.tables.adaptation import DIGITS, NAMED, Block
from experiments.tasks import digit_pairs
from transfer_jax import cli
from transfer_jax.reports import selection_cost, tables

ROOTS = (pathlib.Path('results'), pathlib.Path('runs'))
MARKED = r'<!-- table:([\w.]+) -->\n.*?<!-- /table -->'
SUMMARY = 'summary'  # the table of README.md
# Tables of shallow methods, and the experiment that makes each
SHALLOW = {
    'office_caltech': 'shallow.office_caltech',
    'shallow_digits': 'shallow.digits',
}


@dataclasses.dataclass(frozen=True)
class Command:
    """Print a table, from result files only."""

    name: tyro.conf.Positional[str]
    """summary, demo, ganin, adda, digits, selection_cost, photos, transfer,
    localization, office_caltech, shallow_digits; or readme, to rewrite README.md and
    docs/."""
    json: bool = False
    """Print JSON."""
    runs: tuple[pathlib.Path, ...] | None = None
    """Folders to search for result files. Default: results and runs; for the README
    results alone."""
    check: bool = False
    """With readme: change nothing, and fail if it is not up to date."""
    readme: pathlib.Path = pathlib.Path('README.md')
    """The page to rewrite or check, with every docs/*.md beside it."""
    debug: bool = False
    """Show the traceback of an error."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command in `args`, by default that of the command line."""
    command = tyro.cli(
        Command, prog='python -m experiments.table', description=__doc__, args=args
    )
    with cli.errors(command.debug):
        if command.name == 'readme':
            _readme(command)
            return
        if command.name in (*studies.TABLES, *SHALLOW):
            _studies(command)
            return
        results, left_out = _results(command.runs or ROOTS)
        if command.name == SUMMARY:
            made = summary.as_json if command.json else summary.text
            show = _as_json if command.json else _as_text
            _say(show(SUMMARY, made(_rows_of(results)), [], left_out))
            return
        blocks = named(command.name)
        lines, missing = build(blocks, results)
        form = 'json' if command.json else 'text'
        content = _content(command.name, lines, results, form)
        show = _as_json if command.json else _as_text
        _say(show(command.name, content, missing, left_out))


def named(name: str) -> list[Block]:
    """The tasks of a named table.

    Raises:
      ValueError: there is no such table.
    """
    if name not in NAMED:
        choices = ', '.join((SUMMARY, *NAMED, *studies.TABLES, *SHALLOW, 'readme'))
        raise ValueError(f'no table {name!r}; there are: {choices}')
    return NAMED[name]()


def build(
    blocks: Iterable[Block], results: Sequence[dict]
) -> tuple[list[tables.Row], list[dict[str, str]]]:
    """(rows of the table, missing results with the commands that make them)."""
    lines, missing = [], []
    for block in blocks:
        selected = [result for result in results if _belongs(result, block)]
        whole = [r for r in selected if r['examples'] >= block.images]
        lines += tables.rows(whole, task=block.task, published=block.published)
        # Rows of a subset of the test set are labelled and have no published numbers.
        subset = [result for result in selected if result not in whole]
        lines += tables.rows(subset, task=f'{block.task}, subset')
        present = {result['method'] for result in selected}
        missing += [
            {'task': block.task, 'method': method, 'command': command}
            for method, command in block.commands.items()
            if method not in present
        ]
    return lines, missing


def rewrite(
    page: str,
    results: Sequence[dict],
    of_studies: Sequence[dict] = (),
    of_benchmarks: Mapping[str, dict] | None = None,
) -> str:
    """The page with the content of its table markers generated again."""
    explained = False

    def content(marker):
        nonlocal explained
        name, _, part = marker.partition('.')
        if name == SUMMARY:
            return summary.markdown(_rows_of(results))
        if name == 'methods':
            return methods.markdown(results)
        if name == 'conversions':
            return conversions.markdown()
        if name == 'benchmarks':
            return benchmarks.markdown(of_benchmarks or {}, part)
        if name in SHALLOW:
            return shallow_tables.markdown(of_studies, SHALLOW[name], part)
        if name in studies.TABLES:
            return studies.markdown(of_studies, name, marker if part else '')
        lines, _ = build(named(marker), results)
        form = 'markdown' if explained else 'explained'
        made = _content(marker, lines, results, form)
        explained = explained or bool(made)
        return made

    def table(match):
        made = content(match[1]) or 'No result files yet.'
        return f'<!-- table:{match[1]} -->\n{made}\n<!-- /table -->'

    return re.sub(MARKED, table, page, flags=re.DOTALL)


def _rows_of(results: Sequence[dict]) -> summary.Rows:
    """name -> the rows of that table."""
    return lambda name: build(named(name), results)[0]


def _studies(command: Command) -> None:
    """Prints the tables of studies."""
    of_studies, left_out = result_files.find(command.runs or ROOTS, 'rows')
    name = command.name
    if name in studies.TABLES:
        rows = studies.in_order(of_studies, name)
        text = studies.text(of_studies, name)
        missing = studies.missing(of_studies, name)
    else:
        experiment = SHALLOW[name]
        rows = shallow_tables.of(of_studies, experiment)
        text = shallow_tables.text(of_studies, experiment)
        missing = shallow_tables.missing(of_studies, experiment)
    content = rows if command.json else text
    show = _as_json if command.json else _as_text
    _say(show(name, content, missing, left_out))


def _results(roots: Iterable[pathlib.Path]) -> tuple[list[dict], list[pathlib.Path]]:
    """(results of runs and of deep_features, files of fast runs, left out)."""
    results, left_out = result_files.find(roots)
    of_studies, left_out_too = result_files.find(roots, 'rows')
    results += adaptation.of_deep_features(of_studies)
    return results, left_out + left_out_too


def _with_cost(results: Sequence[dict]) -> list[dict]:
    """The results in the table of the cost of selection."""
    return [
        result
        for block in named('selection_cost')
        for result in results
        if _belongs(result, block) and result['method'] in block.commands
    ]


def _belongs(result: dict, block: Block) -> bool:
    if (result['experiment'] == DIGITS) != (block.experiment == DIGITS):
        return False
    if result['method'] == tables.CEILING and block.ceiling != ('', ''):
        # Its task is the name of the target only; several networks may share it.
        return (result['task'], _network(result['config'])) == block.ceiling
    return result['task'] == block.task


def _network(config: dict) -> str:
    pair = '' if config.get('source') else config.get('pair', '')
    default = digit_pairs.PAIRS[pair][2] if pair in digit_pairs.PAIRS else 'mnist'
    return config.get('network') or default


def _content(
    name: str, lines: Sequence[tables.Row], results: Sequence[dict], form: str
):
    """A table as text, markdown (explained or not) or JSON; empty without results."""
    if name == 'selection_cost':
        chosen = _with_cost(results)
        if form == 'json':
            return selection_cost.rows(chosen)
        return chosen and selection_cost.table(chosen, markdown=form != 'text')
    if form == 'json':
        return tables.as_json(lines)
    if not lines:
        return ''
    if form == 'text':
        table = tables.text(lines)
    else:
        table = tables.markdown(lines, explain=form == 'explained')
    return table + _ranked(results) if name == 'digits' else table


def _ranked(results) -> str:
    """The methods ordered by the fixed validator, under protocol skada."""
    tasks = ('mnist_to_usps, skada', 'usps_to_mnist, skada')
    of_digits = [r for r in results if r['experiment'] == DIGITS]
    ranked = [
        f'{name.replace("_", " ")}{f" (norm {norm})" if norm else ""} {100 * value:.1f}'
        for name, norm, _, value in selection_cost.ranking(of_digits, tasks)
        if name != tables.CEILING
    ]
    if not ranked:
        return ''
    return (
        '\n\nBy the fixed validator on skada, the highest score first, with the mean '
        f'accuracy of both directions: {", ".join(ranked)}.'
    )


def _as_text(name, content, missing, left_out) -> str:
    parts = [content or f'{name}: no result files found.']
    if missing:
        parts += ['', 'No result yet for these; the command makes it:']
        parts += [f'  {m["task"]}, {m["method"]}: {m["command"]}' for m in missing]
    if left_out:
        parts += ['', 'Left out, since they are runs of seconds for tests (fast):']
        parts += [f'  {path}' for path in left_out]
    return '\n'.join(parts)


def _as_json(name, rows, missing, left_out) -> str:
    content = {
        'table': name,
        'rows': rows,
        'missing': missing,
        'left_out_as_fast': [str(path) for path in left_out],
    }
    return json.dumps(content, indent=1)


def _readme(command: Command) -> None:
    results, _ = _results(command.runs or ROOTS[:1])
    of_studies, _ = result_files.find(command.runs or ROOTS[:1], 'rows')
    of_benchmarks = result_files.benchmarks(command.runs or ROOTS[:1])
    docs = sorted((command.readme.parent / 'docs').glob('*.md'))
    changed = []
    for page in [command.readme, *docs]:
        try:
            before = page.read_text(encoding='utf-8')
            after = rewrite(before, results, of_studies, of_benchmarks)
            if not command.check and before != after:
                page.write_text(after, encoding='utf-8')
        except OSError as error:
            raise ValueError(f'{page}: {error.strerror}') from None
        changed += [str(page)] if before != after else []
    if command.check and changed:
        _say(
            f'{" and ".join(changed)}: not up to date; rewrite with '
            'python -m experiments.table readme'
        )
        sys.exit(1)


def _say(text: str) -> None:
    sys.stdout.write(f'{text}\n')
