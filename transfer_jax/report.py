"""report.html: a run, or several arms of one task, for people.

One file with everything in it; it needs no network. Its figures are also saved apart,
in figures/ beside it.
"""

import base64
import html
import json
import pathlib
import sys
from collections.abc import Sequence

from transfer_jax import figures, folder, pictures, running, tables
from transfer_jax.training import log

LARGE = 8  # inches of width from which a figure has a line to itself

_STYLE = """
:root { color-scheme: light }
body { font: 1rem/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff;
  max-width: 72rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.6rem; line-height: 1.2 } h2 { font-size: 1.2rem; margin-top: 2.2rem }
p { max-width: 46rem } .note { color: #57606a; font-size: .9rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #d8dee4 }
th { font-weight: 600 } th.left, td.left { text-align: left }
table.plain td { white-space: normal; text-align: left; vertical-align: top }
.figures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)) }
img { width: 100%; height: auto; display: block } img.large { grid-column: 1 / -1 }
pre { white-space: pre-wrap; font-size: .85rem; background: #f6f8fa; padding: .8rem }
details { margin: .5rem 0 } summary { cursor: pointer }
"""


def text_table(results: Sequence[dict]) -> str:
    """The results of one task as plain text."""
    return tables.text(tables.rows(results))


def write(
    experiment: running.Experiment, place: pathlib.Path, data_dir: str | None = None
) -> pathlib.Path:
    """The report of one run folder; returns where it is."""
    title = f'{experiment.arm.replace("_", " ")}: {experiment.task}'
    return write_many(title, [(experiment, place)], place / 'report.html', data_dir)


def write_many(
    title: str,
    runs: Sequence[tuple[running.Experiment, pathlib.Path]],
    page: pathlib.Path,
    data_dir: str | None = None,
) -> pathlib.Path:
    """One report over several arms on one task; returns where it is.

    Raises:
      FolderError: a run has no result yet, or the report cannot be written.
    """
    arms = [_arm(experiment, place) for experiment, place in runs]
    with log.console.status('drawing the report'):
        sections = pictures.sections(arms, data_dir)
        try:
            body = [_head(title, arms), *(_section(s, page.parent) for s in sections)]
            text = _page(title, [*body, *map(_details, arms)])
            page.write_text(text, encoding='utf-8')
        except OSError as error:
            raise folder.FolderError(
                f'cannot write {page}: {error.strerror}'
            ) from error
    return page


def _arm(experiment: running.Experiment, place: pathlib.Path) -> pictures.Arm:
    if not (place / 'result.json').exists():
        raise folder.FolderError(f'the run in {place} has no result yet')
    result = json.loads((place / 'result.json').read_text())
    rows = [folder.Rows(place / f'{n}.jsonl').read() for n in ('history', 'metrics')]
    return pictures.Arm(experiment, place, result, *rows)


def _page(title: str, body: Sequence[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n'
        f'<body>\n{"".join(body)}</body>\n</html>\n'
    )


def _head(title: str, arms: Sequence[pictures.Arm]) -> str:
    """Title, what was run in a line for each arm, and the table."""
    lines = tables.rows([arm.result for arm in arms])
    about = [f'<h1>{html.escape(title)}</h1>\n']
    if any(arm.result['fast'] for arm in arms):
        about.append(
            '<p><strong>A short run for tests: its numbers mean nothing.</strong></p>\n'
        )
    firsts = [_docstring(a.experiment.config).partition('\n')[0] for a in arms]
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
    return ''.join([*about, _table(lines), f'<p class="note">{notes}</p>\n'])


def _table(lines: Sequence[tables.Row]) -> str:
    head, body = tables.cells(lines)
    left = [' class="left"' if name in tables.LEFT else '' for name in head]

    def row(tag, values):
        cells = [
            f'<{tag}{side}>{html.escape(value)}</{tag}>'
            for value, side in zip(values, left, strict=True)
        ]
        return f'<tr>{"".join(cells)}</tr>\n'

    inside = row('th', head) + ''.join(row('td', values) for values in body)
    return f'<div class="wide"><table>\n{inside}</table></div>\n'


def _section(section: pictures.Section, place: pathlib.Path) -> str:
    """Its figures, in the page and as files."""
    (place / 'figures').mkdir(parents=True, exist_ok=True)
    images = []
    for name, figure in section.figures.items():
        content = figures.png(figure)
        (place / 'figures' / f'{name}.png').write_bytes(content)
        code = base64.b64encode(content).decode()
        alt = html.escape(name.replace('_', ' '))
        large = ' class="large"' if figure.get_figwidth() > LARGE else ''
        images.append(f'<img{large} alt="{alt}" src="data:image/png;base64,{code}">\n')
    return (
        f'<h2>{html.escape(section.title)}</h2>\n'
        f'<p class="note">{html.escape(section.text)}</p>\n'
        f'<div class="figures">\n{"".join(images)}</div>\n'
    )


def _details(arm: pictures.Arm) -> str:
    """Config, versions and the docstring of the page, folded."""
    result = arm.result
    fields = {**result['config'], **result['versions']}
    facts = ''.join(
        f'<tr><td>{html.escape(str(name))}</td><td>{html.escape(str(value))}</td></tr>\n'
        for name, value in fields.items()
    )
    return (
        f'<details>\n<summary>{html.escape(arm.name)}: config and versions</summary>\n'
        f'<pre>{html.escape(_docstring(arm.experiment.config))}</pre>\n'
        f'<table class="plain">\n{facts}</table>\n</details>\n'
    )


def _docstring(config: object) -> str:
    """Of the page whose config it is."""
    module = sys.modules.get(type(config).__module__)
    return (getattr(module, '__doc__', None) or '').strip()
