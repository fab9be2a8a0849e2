"""Tables from result files.

python -m experiments.table NAME [--json]     one table; an unknown NAME lists them
python -m experiments.table readme [--check]  rewrites, or checks, those of README.md
                                              and of docs/
python -m experiments.table stale             results that the tables refuse, or that
                                              today's code or data may not give again
"""

import dataclasses
import pathlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

import tyro

from experiments.tables import (
    adaptation,
    baselines,
    benchmarks,
    content,
    conversions,
    digit_rows,
    lectures,
    methods,
    output,
    own_photographs,
    result_files,
    stale,
    studies,
    summary,
)
from experiments.tables import shallow as shallow_tables
from experiments.tables.adaptation import NAMED, Block
from experiments.tasks import tuned_weights
from transfer_jax import cli
from transfer_jax.reports import tables

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
    localization, zero_shot, office_caltech, shallow_digits, adapt; readme, to rewrite
    README.md and docs/; or stale."""
    json: bool = False
    """Print JSON."""
    runs: tuple[pathlib.Path, ...] | None = None
    """Folders to search for result files. Default: results and runs; for the README
    results alone."""
    data_dir: str | None = None
    """With stale: data folder(s), separated by ':'. Default: $TRANSFER_JAX_DATA, else
    ~/tensorflow_datasets."""
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
        if command.name == 'stale':
            found = stale.check(command.runs or ROOTS[:1], command.data_dir)
            _say(stale.as_json(found) if command.json else stale.text(found))
            return
        if command.name in (*studies.TABLES, *SHALLOW, own_photographs.NAME):
            _studies(command)
            return
        results, left_out = _results(command.runs or ROOTS)
        if command.name == SUMMARY:
            made = summary.as_json if command.json else summary.text
            show = output.as_json if command.json else output.text
            _say(show(SUMMARY, made(_rows_of(results)), [], left_out))
            return
        blocks = named(command.name)
        lines, missing = build(blocks, results)
        form = 'json' if command.json else 'text'
        made = content.table(command.name, lines, results, form)
        show = output.as_json if command.json else output.text
        _say(show(command.name, made, missing, left_out))


def named(name: str) -> list[Block]:
    """The tasks of a named table.

    Raises:
      ValueError: there is no such table.
    """
    if name not in NAMED:
        choices = ', '.join(
            (
                *(SUMMARY, *NAMED, *studies.TABLES, *SHALLOW),
                *(own_photographs.NAME, 'readme', 'stale'),
            )
        )
        raise ValueError(f'no table {name!r}; there are: {choices}')
    return NAMED[name]()


def build(
    blocks: Iterable[Block], results: Sequence[dict]
) -> tuple[list[tables.Row], list[dict[str, str]]]:
    """(rows of the table, missing results with the commands that make them)."""
    lines, missing = [], []
    notes = digit_rows.notes(tuned_weights.read())
    results = [baselines.completed(result) for result in results]
    for block in blocks:
        selected = [result for result in results if adaptation.belongs(result, block)]
        whole = [r for r in selected if r['examples'] >= block.images]
        of_whole = tables.rows(
            whole, task=block.task, published=block.published, notes=notes
        )
        not_run = digit_rows.not_run(block, selected, notes)
        lines += tables.in_order([*of_whole, *not_run])
        # Rows of a subset of the test set are labelled and have no published numbers.
        subset = [result for result in selected if result not in whole]
        lines += tables.rows(subset, task=f'{block.task}, subset', notes=notes)
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

    def of(marker):
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
        if name == own_photographs.NAME:
            return own_photographs.markdown(of_studies, part)
        if name == lectures.NAME:
            return lectures.markdown(part)
        if name in SHALLOW:
            return shallow_tables.markdown(of_studies, SHALLOW[name], part)
        if name in studies.TABLES:
            return studies.markdown(of_studies, name, marker if part else '')
        lines, _ = build(named(marker), results)
        form = 'markdown' if explained else 'explained'
        made = content.table(marker, lines, results, form)
        explained = explained or bool(made)
        return made

    def table(match):
        made = of(match[1]) or 'No result files yet.'
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
    elif name == own_photographs.NAME:
        rows = own_photographs.of(of_studies)
        text = own_photographs.text(of_studies)
        missing = own_photographs.missing(of_studies)
    else:
        experiment = SHALLOW[name]
        rows = shallow_tables.of(of_studies, experiment)
        text = shallow_tables.text(of_studies, experiment)
        missing = shallow_tables.missing(of_studies, experiment)
    made = rows if command.json else text
    show = output.as_json if command.json else output.text
    _say(show(name, made, missing, left_out))


def _results(
    roots: Iterable[pathlib.Path],
) -> tuple[list[dict], list[result_files.LeftOut]]:
    """(results of runs and of deep_features, files that are left out)."""
    results, left_out = result_files.find(roots)
    of_studies, left_out_too = result_files.find(roots, 'rows')
    results += adaptation.of_deep_features(of_studies)
    return results, left_out + left_out_too


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
