"""Pieces of a report in HTML: one file with everything in it, no network needed."""

import base64
import html
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from transfer_jax.reports import figures as drawing
from transfer_jax.reports import grids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
th { font-weight: 600; white-space: normal; vertical-align: bottom }
th.left, td.left { text-align: left }
table.plain td { white-space: normal; text-align: left; vertical-align: top }
.figures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)) }
img { width: 100%; height: auto; display: block } img.large { grid-column: 1 / -1 }
pre { white-space: pre-wrap; font-size: .85rem; background: #f6f8fa; padding: .8rem }
details { margin: .5rem 0 } summary { cursor: pointer }
"""
SHORT_RUN = '<p><strong>A short run for tests: its numbers mean nothing.</strong></p>\n'


def page(title: str, body: Sequence[str]) -> str:
    """A whole document."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n'
        f'<body>\n{"".join(body)}</body>\n</html>\n'
    )


def table(
    head: Sequence[str], body: Sequence[Sequence[str]], words: Sequence[str] = ()
) -> str:
    """A table of strings; columns of `words`, and those of grids.LEFT, to the left."""
    left = [' class="left"' if name in (*grids.LEFT, *words) else '' for name in head]

    def row(tag, values):
        cells = [
            f'<{tag}{side}>{html.escape(value)}</{tag}>'
            for value, side in zip(values, left, strict=True)
        ]
        return f'<tr>{"".join(cells)}</tr>\n'

    inside = row('th', head) + ''.join(row('td', values) for values in body)
    return f'<div class="wide"><table>\n{inside}</table></div>\n'


def section(
    title: str, text: str, figures: Mapping[str, 'Figure'], folder: pathlib.Path
) -> str:
    """Figures under a heading, in the page and as files in folder/figures."""
    (folder / 'figures').mkdir(parents=True, exist_ok=True)
    images = []
    for name, figure in figures.items():
        content = drawing.png(figure)
        (folder / 'figures' / f'{name}.png').write_bytes(content)
        code = base64.b64encode(content).decode()
        alt = html.escape(name.replace('_', ' '))
        large = ' class="large"' if figure.get_figwidth() > LARGE else ''
        images.append(f'<img{large} alt="{alt}" src="data:image/png;base64,{code}">\n')
    return (
        f'<h2>{html.escape(title)}</h2>\n<p class="note">{html.escape(text)}</p>\n'
        f'<div class="figures">\n{"".join(images)}</div>\n'
    )


def details(name: str, about: str, fields: Mapping[str, Any]) -> str:
    """The docstring of an experiment and the fields of a config, folded."""
    facts = ''.join(
        f'<tr><td>{html.escape(str(key))}</td><td>{html.escape(str(value))}</td></tr>\n'
        for key, value in fields.items()
    )
    return (
        f'<details>\n<summary>{html.escape(name)}: config and versions</summary>\n'
        f'<pre>{html.escape(about)}</pre>\n'
        f'<table class="plain">\n{facts}</table>\n</details>\n'
    )
