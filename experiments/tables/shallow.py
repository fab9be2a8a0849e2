"""Tables of closed-form methods: a line a method, a column a pair, published beneath.

From result files of the pages of experiments/shallow alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.shallow import published, trials
from experiments.tables import studies
from transfer_jax.reports import study_tables, tables

PAGES = ('shallow.office_caltech', 'shallow.digits')
MEAN = 'mean'
CHOSEN = 'chosen'


def of(results: Sequence[dict], page: str, part: str = '') -> list[dict]:
    """The results of a page: papers' settings first, then those with a choice.

    Args:
      part: of a protocol alone, with the papers' settings; 'chosen': with a choice.
    """

    def named(result):
        config = result['config']
        return CHOSEN if config['choose'] else config['protocol']

    own = [result for result in results if result['experiment'] == page]
    own = [result for result in own if part in ('', named(result))]
    return sorted(own, key=lambda r: (r['config']['choose'], r['task']))


def markdown(results: Sequence[dict], page: str, part: str = '') -> str:
    """Every table of a page in GitHub's markdown, with its command; see `of`."""
    return '\n\n'.join(
        '\n'.join(
            [
                f'{result["task"]}:',
                '',
                *tables.markdown_grid(*grid(result), ('method',)),
                '',
                legend(result),
                '',
                f'    {studies.command(result)}',
            ]
        )
        for result in of(results, page, part)
    )


def text(results: Sequence[dict], page: str) -> str:
    """Every table of a page as plain text."""
    return '\n\n\n'.join(
        '\n'.join(
            [
                f'{result["task"]}:',
                '',
                *tables.text_grid(*grid(result), ('method',)),
                '',
                legend(result),
                studies.command(result),
            ]
        )
        for result in of(results, page)
    )


def missing(results: Sequence[dict], page: str) -> list[dict[str, str]]:
    """The command of a page that has no result yet."""
    if of(results, page):
        return []
    return [{'task': page, 'arm': 'all', 'command': f'python -m experiments.{page}'}]


def grid(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(headings, lines) of strings, in %."""
    return _chosen(result) if result['config']['choose'] else _by_pair(result)


def legend(result: Mapping[str, Any]) -> str:
    """What the numbers are."""
    draws = 1 + max(row['seed'] for row in result['rows'])
    over = f', mean ± standard deviation over {draws} draws' if draws > 1 else ''
    if not result['config']['choose']:
        lines = [f'Accuracy on the target in %{over}; settings: recipes.py.']
        lines += ['Lines in italics are published.'] if _published(result) else []
        return ' '.join(lines)
    count = len({row['pair'] for row in result['rows']})
    return (
        f'Mean over {count} pairs of the accuracy on the target in %, by what picked '
        'the setting of the method: its paper; accuracy on held-out source examples; '
        'information maximization, fixed in advance; circular validation; the target '
        'labels themselves (oracle).'
    )


def _by_pair(result):
    groups = study_tables.groups(result)
    names = list(dict.fromkeys(group.keys['pair'] for group in groups))
    lines: dict[str, dict[str, tables.Score]] = {}
    for group in groups:
        line = lines.setdefault(group.keys['method'], {})
        line[group.keys['pair']] = group.score('accuracy')
    body = []
    for method, line in lines.items():
        mean = tables.Score(float(np.mean([line[n].mean for n in names])), None)
        shown = [tables.percent(line[name]) for name in names]
        body.append([_name(method), *shown, tables.percent(mean)])
        for other in _published(result):
            if other.method == method:
                pairs = published.PAIRS[result['experiment']]
                values = dict(zip(pairs, other.values, strict=True))
                shown = [f'*{values[name]:.1f}*' for name in names]
                mean = np.mean([values[name] for name in names])
                body.append([f'*{other.source}*', *shown, f'*{mean:.1f}*'])
    return ['method', *names, MEAN], body


def _chosen(result):
    means: dict[str, dict[str, list[float]]] = {}
    for row in result['rows']:
        line = means.setdefault(row['method'], {})
        for rule in trials.CHOSEN:
            line.setdefault(rule, []).append(row[rule])
    body = [
        [
            _name(method),
            *(tables.percent(tables.Score(float(np.mean(v)), None))
              for v in line.values()),
        ]
        for method, line in means.items()
    ]  # fmt: skip
    return ['method', *(rule.replace('_', ' ') for rule in trials.CHOSEN)], body


def _published(result):
    known = published.LINES.get(result['experiment'], ())
    return [line for line in known if line.protocol == result['config']['protocol']]


def _name(method: str) -> str:
    return method.replace('_', ' ')
