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

from experiments.tables import benchmarks, methods, result_files, studies
from experiments.tables import shallow as shallow_tables
from experiments.tables.adaptation import DIGITS, NAMED, Block
from experiments.tasks import digit_pairs
from transfer_jax import cli
from transfer_jax.reports import selection_cost, tables

ROOTS = (pathlib.Path('results'), pathlib.Path('runs'))
# Tables of closed-form methods, and the page that each is made by
SHALLOW = {
    'office_caltech': 'shallow.office_caltech',
    'shallow_digits': 'shallow.digits',
}


@dataclasses.dataclass(frozen=True)
class Command:
    """Print a table, from result files only."""

    name: tyro.conf.Positional[str]
    """demo, ganin, adda, digits, regret, photos, transfer, localization,
    office_caltech, shallow_digits; or readme, to rewrite README.md."""
    json: bool = False
    """Print JSON."""
    runs: tuple[pathlib.Path, ...] | None = None
    """Folders to search for result files. Default: results and runs; for the README
    results alone."""
    check: bool = False
    """With readme: change nothing, and fail if it is not up to date."""
    readme: pathlib.Path = pathlib.Path('README.md')
    """The page to rewrite or check, with docs/ beside it."""
    debug: bool = False
    """Show the traceback of an error."""


def main(args: Sequence[str] | None = None) -> None:
    """The command in `args`, by default that of the command line."""
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
        blocks = named(command.name)
        results, left_out = result_files.find(command.runs or ROOTS)
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
        choices = ', '.join((*NAMED, *studies.TABLES, *SHALLOW, 'readme'))
        raise ValueError(f'no table {name!r}; there are: {choices}')
    return NAMED[name]()


def build(
    blocks: Iterable[Block], results: Sequence[dict]
) -> tuple[list[tables.Row], list[dict[str, str]]]:
    """(lines of the table, what is not there and which command makes it)."""
    lines, missing = [], []
    for block in blocks:
        own = [result for result in results if _belongs(result, block)]
        whole = [r for r in own if r['target_test_images'] >= block.images]
        lines += tables.rows(whole, task=block.task, published=block.published)
        # A subset is named so, and nothing published stands beside it.
        part = [result for result in own if result not in whole]
        lines += tables.rows(part, task=f'{block.task}, subset')
        there = {result['arm'] for result in own}
        missing += [
            {'task': block.task, 'arm': arm, 'command': command}
            for arm, command in block.commands.items()
            if arm not in there
        ]
    return lines, missing


def rewrite(
    page: str,
    results: Sequence[dict],
    of_studies: Sequence[dict] = (),
    of_benchmarks: Mapping[str, dict] | None = None,
) -> str:
    """The page with what stands between its table markers made anew."""
    explained = False

    def content(marker):
        nonlocal explained
        name, _, part = marker.partition('.')
        if name == 'methods':
            return methods.markdown(results)
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

    marked = r'<!-- table:([\w.]+) -->\n.*?<!-- /table -->'
    return re.sub(marked, table, page, flags=re.DOTALL)


def _studies(command: Command) -> None:
    """Print the tables of studies."""
    of_studies, left_out = result_files.find(command.runs or ROOTS, 'rows')
    name = command.name
    if name in studies.TABLES:
        rows = studies.in_order(of_studies, name)
        shown = studies.text(of_studies, name)
        lacking = studies.missing(of_studies, name)
    else:
        page = SHALLOW[name]
        rows = shallow_tables.of(of_studies, page)
        shown = shallow_tables.text(of_studies, page)
        lacking = shallow_tables.missing(of_studies, page)
    content = rows if command.json else shown
    show = _as_json if command.json else _as_text
    _say(show(name, content, lacking, left_out))


def _regrets(results: Sequence[dict]) -> list[dict]:
    """The results that the table of regrets is about."""
    return [
        result
        for block in named('regret')
        for result in results
        if _belongs(result, block) and result['arm'] in block.commands
    ]


def _belongs(result: dict, block: Block) -> bool:
    if (result['experiment'] == DIGITS) != (block.experiment == DIGITS):
        return False
    if result['arm'] == tables.CEILING and block.ceiling != ('', ''):
        # Named after its one domain; the same domain may serve several networks.
        return (result['task'], _network(result['config'])) == block.ceiling
    return result['task'] == block.task


def _network(config: dict) -> str:
    known = '' if config.get('source') else config.get('pair', '')
    default = digit_pairs.PAIRS[known][2] if known in digit_pairs.PAIRS else 'mnist'
    return config.get('network') or default


def _content(
    name: str, lines: Sequence[tables.Row], results: Sequence[dict], form: str
):
    """A table as text, markdown (explained or not) or JSON; empty without results."""
    if name == 'regret':
        found = _regrets(results)
        if form == 'json':
            return selection_cost.rows(found)
        return found and selection_cost.table(found, markdown=form != 'text')
    if form == 'json':
        return tables.as_json(lines)
    if not lines:
        return ''
    if form == 'text':
        shown = tables.text(lines)
    else:
        shown = tables.markdown(lines, explain=form == 'explained')
    return shown + _ranked(results) if name == 'digits' else shown


def _ranked(results) -> str:
    """Which method the fixed validator would choose on the large protocol."""
    tasks = ('mnist_to_usps, skada', 'usps_to_mnist, skada')
    own = [r for r in results if r['experiment'] == DIGITS]
    found = [
        f'{arm.replace("_", " ")}{f" (norm {norm})" if norm else ""} {100 * value:.1f}'
        for arm, norm, _, value in selection_cost.ranking(own, tasks)
        if arm != tables.CEILING
    ]
    if not found:
        return ''
    return (
        '\n\nBy the fixed validator on skada, the highest score first, with the mean '
        f'accuracy of both directions: {", ".join(found)}.'
    )


def _as_text(name, content, missing, left_out) -> str:
    parts = [content or f'{name}: no result files found.']
    if missing:
        parts += ['', 'No result yet for these; the command makes it:']
        parts += [f'  {m["task"]}, {m["arm"]}: {m["command"]}' for m in missing]
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
    results, _ = result_files.find(command.runs or ROOTS[:1])
    of_studies, _ = result_files.find(command.runs or ROOTS[:1], 'rows')
    of_benchmarks = result_files.benchmarks(command.runs or ROOTS[:1])
    docs = command.readme.parent / 'docs'
    pages = [
        docs / f'{name}.md'
        for name in ('methods', 'transfer', 'shallow', 'localization', 'scaling')
    ]
    changed = []
    for page in [command.readme, *(page for page in pages if page.exists())]:
        try:
            before = page.read_text(encoding='utf-8')
            after = rewrite(before, results, of_studies, of_benchmarks)
            if not command.check:
                page.write_text(after, encoding='utf-8')
        except OSError as error:
            raise ValueError(f'{page}: {error.strerror}') from None
        changed += [str(page)] if before != after else []
    if command.check and changed:
        _say(
            f'{" and ".join(changed)}: not what the result files say; rewrite with '
            'python -m experiments.table readme'
        )
        sys.exit(1)


def _say(text: str) -> None:
    sys.stdout.write(f'{text}\n')


if __name__ == '__main__':
    main()
