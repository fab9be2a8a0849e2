"""report.html: a run, or several arms of one task, for people.

One file with everything in it; it needs no network. Its figures are also saved apart,
in figures/ beside it.
"""

import html
import json
import pathlib
import sys
from collections.abc import Sequence

from transfer_jax import runs
from transfer_jax.reports import html_page, sections, tables
from transfer_jax.runs import folder
from transfer_jax.training import log


def text_table(results: Sequence[dict]) -> str:
    """The results of one task as plain text."""
    return tables.text(tables.rows(results))


def write(
    experiment: runs.Experiment, place: pathlib.Path, data_dir: str | None = None
) -> pathlib.Path:
    """The report of one run folder; returns where it is."""
    title = f'{experiment.arm.replace("_", " ")}: {experiment.task}'
    return write_many(title, [(experiment, place)], place / 'report.html', data_dir)


def write_many(
    title: str,
    members: Sequence[tuple[runs.Experiment, pathlib.Path]],
    page: pathlib.Path,
    data_dir: str | None = None,
) -> pathlib.Path:
    """One report over several arms on one task; returns where it is.

    Raises:
      FolderError: a run has no result yet, or the report cannot be written.
    """
    arms = [_arm(experiment, place) for experiment, place in members]
    with log.console.status('drawing the report'):
        drawn_sections = sections.sections(arms, data_dir)
        try:
            drawn = [
                html_page.section(s.title, s.text, s.figures, page.parent)
                for s in drawn_sections
            ]
            body = [_head(title, arms), *drawn, *map(_details, arms)]
            page.write_text(html_page.page(title, body), encoding='utf-8')
        except OSError as error:
            raise folder.FolderError(
                f'cannot write {page}: {error.strerror}'
            ) from error
    return page


def _arm(experiment: runs.Experiment, place: pathlib.Path) -> sections.Arm:
    if not (place / 'result.json').exists():
        raise folder.FolderError(f'the run in {place} has no result yet')
    result = json.loads((place / 'result.json').read_text())
    rows = [folder.Rows(place / f'{n}.jsonl').read() for n in ('history', 'metrics')]
    return sections.Arm(experiment, place, result, *rows)


def _head(title: str, arms: Sequence[sections.Arm]) -> str:
    """Title, what was run in a line for each arm, and the table."""
    lines = tables.rows([arm.result for arm in arms])
    about = [f'<h1>{html.escape(title)}</h1>\n']
    if any(arm.result['fast'] for arm in arms):
        about.append(html_page.SHORT_RUN)
    firsts = [docstring(a.experiment.config).partition('\n')[0] for a in arms]
    if len(set(firsts)) == 1:  # arms of one page: what it is is said once
        about.append(f'<p>{html.escape(firsts[0])}</p>\n')
        firsts = [''] * len(arms)
    about.append('<ul>\n')
    for arm, first in zip(arms, firsts, strict=True):
        result = arm.result
        said = f'{arm.name}: {first}' if first else arm.name
        seeds = ', '.join(map(str, result['seeds']))
        facts = (
            f'task {result["task"]}; seeds {seeds}; {result["device"]}; '
            f'git {result["git"] or "unknown"}'
        )
        about.append(
            f'<li>{html.escape(said)}<br>'
            f'<span class="note">{html.escape(facts)}</span></li>\n'
        )
    about.append('</ul>\n<h2>Result</h2>\n')
    notes = ''.join(f'{html.escape(line)}<br>\n' for line in tables.legend(lines))
    return ''.join(
        [
            *about,
            html_page.table(*tables.cells(lines)),
            f'<p class="note">{notes}</p>\n',
        ]
    )


def _details(arm: sections.Arm) -> str:
    """Config, versions and the docstring of the page, folded."""
    fields = {**arm.result['config'], **arm.result['versions']}
    return html_page.details(arm.name, docstring(arm.experiment.config), fields)


def docstring(config: object) -> str:
    """Of the page whose config it is."""
    module = sys.modules.get(type(config).__module__)
    return (getattr(module, '__doc__', None) or '').strip()
