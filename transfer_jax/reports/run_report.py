"""report.html of a run, or of the runs of several methods on one task.

One file with everything in it; it needs no network. Its figures are also saved in
figures/ beside it.
"""

import html
import json
import pathlib
import sys
from collections.abc import Sequence

from transfer_jax import runs
from transfer_jax.reports import html_page, sections, tables
from transfer_jax.runs import folder, provenance
from transfer_jax.training import log


def text_table(results: Sequence[dict]) -> str:
    """The results of one task as plain text."""
    return tables.text(tables.rows(results))


def write(
    experiment: runs.Experiment, run_dir: pathlib.Path, data_dir: str | None = None
) -> pathlib.Path:
    """Writes the report of one run folder; returns its path."""
    title = f'{experiment.method.replace("_", " ")}: {experiment.task}'
    path = run_dir / 'report.html'
    return write_many(title, [(experiment, run_dir)], path, data_dir)


def write_many(
    title: str,
    members: Sequence[tuple[runs.Experiment, pathlib.Path]],
    path: pathlib.Path,
    data_dir: str | None = None,
) -> pathlib.Path:
    """Writes one report over several methods on one task; returns its path.

    Raises:
      FolderError: a run has no result yet, or the report cannot be written.
    """
    finished = [_read(experiment, run_dir) for experiment, run_dir in members]
    with log.console.status('drawing the report'):
        parts = sections.sections(finished, data_dir)
        try:
            drawn = [
                html_page.section(part.title, part.text, part.figures, path.parent)
                for part in parts
            ]
            body = [_head(title, finished), *drawn, *map(_details, finished)]
            path.write_text(html_page.page(title, body), encoding='utf-8')
        except OSError as error:
            raise folder.FolderError(
                f'cannot write {path}: {error.strerror}'
            ) from error
    return path


def _read(experiment: runs.Experiment, run_dir: pathlib.Path) -> sections.Finished:
    if not (run_dir / 'result.json').exists():
        raise folder.FolderError(f'the run in {run_dir} has no result yet')
    result = json.loads((run_dir / 'result.json').read_text())
    rows = [folder.Rows(run_dir / f'{n}.jsonl').read() for n in ('history', 'metrics')]
    return sections.Finished(experiment, run_dir, result, *rows)


def _head(title: str, finished: Sequence[sections.Finished]) -> str:
    """Title, a line for each method, and the table."""
    lines = tables.rows([run.result for run in finished])
    about = [f'<h1>{html.escape(title)}</h1>\n']
    if any(run.result['fast'] for run in finished):
        about.append(html_page.SHORT_RUN)
    firsts = [docstring(r.experiment.config).partition('\n')[0] for r in finished]
    if len(set(firsts)) == 1:  # methods of one module share their description
        about.append(f'<p>{html.escape(firsts[0])}</p>\n')
        firsts = [''] * len(finished)
    about.append('<ul>\n')
    for run, first in zip(finished, firsts, strict=True):
        result = run.result
        heading = f'{run.name}: {first}' if first else run.name
        seeds = ', '.join(map(str, result['seeds']))
        facts = [
            f'task {result["task"]}',
            f'seeds {seeds}',
            provenance.revisions(result),
            runs.result.cost_text(result),
        ]
        about.append(
            f'<li>{html.escape(heading)}<br>'
            f'<span class="note">{html.escape("; ".join(filter(None, facts)))}</span>'
            '</li>\n'
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


def _details(run: sections.Finished) -> str:
    """Config, versions and the docstring of the experiment, folded."""
    fields = {**run.result['config'], **provenance.versions(run.result)}
    return html_page.details(run.name, docstring(run.experiment.config), fields)


def docstring(config: object) -> str:
    """Of the module that defines a config."""
    module = sys.modules.get(type(config).__module__)
    return (getattr(module, '__doc__', None) or '').strip()
