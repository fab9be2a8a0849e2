"""Grids of strings as plain text, GitHub's markdown and LaTeX."""

import re
from collections.abc import Sequence

# Columns of words, aligned to the left.
LEFT = (
    *('task', 'method', 'norm', 'number', 'config'),
    *('paper', 'objective', 'file', 'run'),
)


def text(
    head: Sequence[str], body: Sequence[Sequence[str]], words: Sequence[str] = ()
) -> list[str]:
    """Lines of plain text in columns; those of `words`, and of LEFT, to the left."""
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    left = [name in (*LEFT, *words) for name in head]

    def line(values):
        padded = [
            value.ljust(width) if to_left else value.rjust(width)
            for value, width, to_left in zip(values, widths, left, strict=True)
        ]
        return '  '.join(padded).rstrip()

    return [line(head), line(['-' * width for width in widths]), *map(line, body)]


def markdown(
    head: Sequence[str], body: Sequence[Sequence[str]], words: Sequence[str] = ()
) -> list[str]:
    """Lines of GitHub's markdown; columns of `words`, and of LEFT, to the left."""
    rule = [':--' if name in (*LEFT, *words) else '--:' for name in head]
    return ['| ' + ' | '.join(row) + ' |' for row in (head, rule, *body)]


def latex(
    head: Sequence[str], body: Sequence[Sequence[str]], words: Sequence[str] = ()
) -> list[str]:
    """Lines of a tabular for booktabs; columns of `words`, and of LEFT, to the left."""
    columns = ''.join('l' if name in (*LEFT, *words) else 'r' for name in head)
    first, *rows = (' & '.join(map(_escaped, row)) + r' \\' for row in (head, *body))
    begin, end = rf'\begin{{tabular}}{{{columns}}}', r'\end{tabular}'
    return [begin, r'\toprule', first, r'\midrule', *rows, r'\bottomrule', end]


def _escaped(string: str) -> str:
    string = string.replace('\\', r'\textbackslash ')
    return re.sub(r'[&%$#_{}]', r'\\\g<0>', string).replace('±', r'$\pm$')
