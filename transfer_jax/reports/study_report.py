"""report.html of a study: its table, its figures, its config."""

import html
import pathlib
from collections.abc import Callable
from typing import Any

from transfer_jax.reports import html_page, run_report, study_tables
from transfer_jax.runs import Study, folder, provenance
from transfer_jax.training import log


def write(
    study: Study, run_dir: pathlib.Path, result: dict, prepared: Callable[[], Any]
) -> pathlib.Path:
    """Writes the report of a finished study; returns its path.

    Args:
      prepared: () -> what `study.prepare` returned; called where there are pictures.

    Raises:
      FolderError: the report cannot be written.
    """
    about = run_report.docstring(study.config)
    title = about.partition('\n')[0] or study.name
    facts = f'{study.task}; {len(result["rows"])} rows; {provenance.revisions(result)}'
    with log.console.status('drawing the report'):
        drawn = dict(study.figures(result['rows'])) if study.figures else {}
        shown = dict(study.pictures(prepared())) if study.pictures else {}
        try:
            body = [
                f'<h1>{html.escape(title)}</h1>\n',
                html_page.SHORT_RUN if study.fast else '',
                f'<p class="note">{html.escape(facts)}</p>\n<h2>Result</h2>\n',
                html_page.table(*study_tables.grid(result), study_tables.words(result)),
                f'<p class="note">{html.escape(study_tables.legend(result))}</p>\n',
            ]
            for heading, part in (('Figures', drawn), ('Pictures', shown)):
                if part:
                    body.append(html_page.section(heading, '', part, run_dir))
            fields = {**result['config'], **provenance.versions(result)}
            body.append(html_page.details(study.name, about, fields))
            path = run_dir / 'report.html'
            path.write_text(html_page.page(title, body), encoding='utf-8')
        except OSError as error:
            raise folder.FolderError(
                f'cannot write {run_dir}: {error.strerror}'
            ) from error
    return path
