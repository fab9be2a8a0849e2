"""Tables of shallow methods: a row per method, a column per pair, published rows below.

From the result files of experiments/shallow.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.shallow import published, trials
from experiments.tables import studies
from transfer_jax import selection
from transfer_jax.reports import averages, grids, study_tables

MEAN = 'mean'
CHOSEN = 'chosen'


def of(results: Sequence[dict], experiment: str, part: str = '') -> list[dict]:
    """The results of an experiment: papers' settings first, then chosen ones.

    Args:
      part: only those of this protocol with the papers' settings; 'chosen': only those
        with chosen settings.
    """

    def part_of(result):
        config = result['config']
        return CHOSEN if config['choose'] else config['protocol']

    selected = [
        result
        for result in results
        if result['experiment'] == experiment and part in ('', part_of(result))
    ]
    return sorted(selected, key=lambda r: (r['config']['choose'], r['task']))


def markdown(results: Sequence[dict], experiment: str, part: str = '') -> str:
    """The tables of an experiment in GitHub's markdown, with commands; see `of`."""
    return '\n\n'.join(
        '\n'.join(
            [
                f'{result["task"]}:',
                '',
                *grids.markdown(*grid(result), ('method',)),
                '',
                legend(result),
                '',
                f'    {studies.command(result)}',
            ]
        )
        for result in of(results, experiment, part)
    )


def text(results: Sequence[dict], experiment: str) -> str:
    """The tables of an experiment as plain text."""
    return '\n\n\n'.join(
        '\n'.join(
            [
                f'{result["task"]}:',
                '',
                *grids.text(*grid(result), ('method',)),
                '',
                legend(result),
                studies.command(result),
            ]
        )
        for result in of(results, experiment)
    )


def missing(results: Sequence[dict], experiment: str) -> list[dict[str, str]]:
    """The command of an experiment without results."""
    if of(results, experiment):
        return []
    command = f'python -m experiments.{experiment}'
    return [{'task': experiment, 'method': 'all', 'command': command}]


def grid(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of strings, in %."""
    return _chosen(result) if result['config']['choose'] else _by_pair(result)


def legend(result: Mapping[str, Any]) -> str:
    """A sentence that explains the numbers."""
    draws = 1 + max(row['seed'] for row in result['rows'])
    over = f', mean ± standard deviation over {draws} draws' if draws > 1 else ''
    if not result['config']['choose']:
        lines = [f'Accuracy on the target in %{over}; settings: recipes.py.']
        lines += ['Lines in italics are published.'] if _published(result) else []
        return ' '.join(lines)
    count = len({row['pair'] for row in result['rows']})
    fixed = selection.FIXED.replace('_', ' ')
    return (
        f'Mean over {count} pairs of the accuracy on the target in %, by what picked '
        'the setting of the method: its paper; accuracy on held-out source examples; '
        f'{fixed}, fixed in advance; circular validation; the target labels themselves '
        '(oracle).'
    )


def _by_pair(result):
    groups = study_tables.groups(result)
    names = list(dict.fromkeys(group.keys['pair'] for group in groups))
    lines: dict[str, dict[str, averages.Score]] = {}
    for group in groups:
        line = lines.setdefault(group.keys['method'], {})
        line[group.keys['pair']] = group.score('accuracy')
    body = []
    for method, line in lines.items():
        mean = averages.Score(float(np.mean([line[n].mean for n in names])), None)
        entries = [averages.shown(line[name]) for name in names]
        body.append([_name(method), *entries, averages.shown(mean)])
        for paper in _published(result):
            if paper.method == method:
                pairs = published.PAIRS[result['experiment']]
                values = dict(zip(pairs, paper.values, strict=True))
                entries = [f'*{values[name]:.1f}*' for name in names]
                mean = np.mean([values[name] for name in names])
                body.append([f'*{paper.source}*', *entries, f'*{mean:.1f}*'])
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
            *(averages.shown(averages.Score(float(np.mean(v)), None))
              for v in line.values()),
        ]
        for method, line in means.items()
    ]  # fmt: skip
    return ['method', *(rule.replace('_', ' ') for rule in trials.CHOSEN)], body


def _published(result):
    lines = published.LINES.get(result['experiment'], ())
    return [line for line in lines if line.protocol == result['config']['protocol']]


def _name(method: str) -> str:
    return method.replace('_', ' ')
