"""Tables of results, as text, markdown, HTML cells and JSON, from result files only.

A result is the content of a result.json. Results of one call of `rows` stand on one
task, so that the arms can be compared: with source only and train on target among
them, every other arm gets the share of the gap between the two that it covers.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

# Arms that the others stand between.
BASELINES, CEILING = ('source_only', 'none'), 'train_on_target'
RULES = {
    'last': 'last',
    'source_validation': 'source validation',
    'fixed_validator': 'fixed validator',
    'oracle': 'oracle',
}


# Columns of words.
LEFT = (
    *('task', 'arm', 'config', 'chosen by'),
    *('method', 'paper', 'minimises', 'file', 'run'),
)


class Score(NamedTuple):
    """Accuracy over seeds; `std` is None for one seed."""

    mean: float
    std: float | None


class Row(NamedTuple):
    """A line of a table."""

    task: str
    arm: str
    experiment: str
    steps: int  # of the last stage; 0 for a closed form
    seeds: int
    images: int  # of the target test set
    scores: Mapping[str, Score]  # {rule: ...}
    validator: str  # which one is the fixed one
    gain: float | None  # over source only at the last step
    share: float | None  # of the gap, at the last step
    differs: str  # config fields in which it differs from rows like it
    published: float | None


def rows(
    results: Iterable[dict],
    *,
    task: str | None = None,
    published: Mapping[str, float] | None = None,
) -> list[Row]:
    """Lines for the results of one task: source only first, train on target last.

    Args:
      task: what to call it; by default each result's own name for it.
      published: {arm: accuracy}.
    """
    results = sorted(results, key=_order)
    answer = []
    for result in results:
        scores = {
            rule: Score(column['mean'], column['std'])
            for rule, column in result['target_accuracy'].items()
        }
        low = _partner(result, results, BASELINES)
        high = _partner(result, results, (CEILING,))
        last, gain, share = scores['last'].mean, None, None
        if result['arm'] not in (*BASELINES, CEILING) and low is not None:
            gain = last - low
            if high is not None and high > low:
                share = gain / (high - low)
        answer.append(
            Row(
                task=task or result['task'],
                arm=result['arm'],
                experiment=result['experiment'],
                steps=_steps(result),
                seeds=len(result['seeds']),
                images=int(result['target_test_images']),
                scores=scores,
                validator=result['fixed_validator'],
                gain=gain,
                share=share,
                differs=_differences(result, results),
                published=(published or {}).get(result['arm']),
            )
        )
    return answer


def cells(lines: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of strings; columns that would be empty or constant are out."""
    columns = {
        'task': [line.task for line in lines],
        'arm': [line.arm.replace('_', ' ') for line in lines],
    }
    for rule, heading in RULES.items():
        columns[heading] = [percent(line.scores.get(rule)) for line in lines]
    columns['gain'] = [
        '' if line.gain is None else f'{100 * line.gain:+.1f}' for line in lines
    ]
    shares = [line.share for line in lines]
    columns['gap covered'] = ['' if s is None else f'{100 * s:.0f} %' for s in shares]
    columns['published'] = [
        '' if line.published is None else f'{100 * line.published:.1f}'
        for line in lines
    ]
    columns['n'] = [str(line.seeds) for line in lines]
    columns['steps'] = [f'{line.steps:,}' if line.steps else '' for line in lines]
    columns['images'] = [f'{line.images:,}' for line in lines]
    columns['config'] = [line.differs for line in lines]
    kept = [
        name
        for name, values in columns.items()
        if any(values) and not (name == 'task' and len(set(values)) == 1)
    ]
    return kept, [list(row) for row in zip(*(columns[n] for n in kept), strict=True)]


def legend(lines: Sequence[Row]) -> list[str]:
    """What the columns are, a sentence each."""
    names = sorted({line.validator.replace('_', ' ') for line in lines})
    said = [
        'Accuracy on the target test images in %, mean ± standard deviation over n '
        'seeds.',
        'Last: the last step. Source validation: the step best on held-out source '
        f'images. Fixed validator: the step best by {" or ".join(names)}, fixed in '
        'advance. Oracle: the step best on the target test labels, which no other '
        'column looks at.',
    ]
    if any(line.share is not None for line in lines):
        said.append(
            'Gap covered: (arm - source only) / (train on target - source only), at '
            'the last step.'
        )
    if any(line.gain is not None for line in lines):
        said.append('Gain: points over the arm without adaptation, at the last step.')
    if any(line.published is not None for line in lines):
        said.append('Published: by the paper that the page of the experiment names.')
    below = _below(lines)
    if below:
        said.append(
            'Below the arm without adaptation under the fixed validator: '
            f'{"; ".join(below)}.'
        )
    return said


def text(lines: Sequence[Row]) -> str:
    """The table in columns of plain text, with its legend."""
    table = text_grid(*cells(lines))
    return '\n'.join([*_heading(lines), *table, '', *legend(lines)])


def markdown(lines: Sequence[Row], *, explain: bool = True) -> str:
    """The table in GitHub's markdown, with its legend where it is to explain itself."""
    table = markdown_grid(*cells(lines))
    said = ['', ' '.join(legend(lines))] if explain else []
    return '\n'.join([*_heading(lines), *table, *said])


def text_grid(
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


def markdown_grid(
    head: Sequence[str], body: Sequence[Sequence[str]], words: Sequence[str] = ()
) -> list[str]:
    """Lines of GitHub's markdown; columns of `words`, and of LEFT, to the left."""
    rule = [':--' if name in (*LEFT, *words) else '--:' for name in head]
    return ['| ' + ' | '.join(row) + ' |' for row in (head, rule, *body)]


def latex_grid(
    head: Sequence[str], body: Sequence[Sequence[str]], words: Sequence[str] = ()
) -> list[str]:
    """Lines of a tabular for booktabs; columns of `words`, and of LEFT, to the left."""
    columns = ''.join('l' if name in (*LEFT, *words) else 'r' for name in head)
    first, *rows = (' & '.join(map(_latex, row)) + r' \\' for row in (head, *body))
    begin, end = rf'\begin{{tabular}}{{{columns}}}', r'\end{tabular}'
    return [begin, r'\toprule', first, r'\midrule', *rows, r'\bottomrule', end]


def _latex(text: str) -> str:
    text = text.replace('\\', r'\textbackslash ')
    return re.sub(r'[&%$#_{}]', r'\\\g<0>', text).replace('±', r'$\pm$')


def as_json(lines: Sequence[Row]) -> list[dict]:
    """The rows as plain values; accuracies are fractions."""
    return [
        {
            **line._asdict(),
            'scores': {rule: score._asdict() for rule, score in line.scores.items()},
        }
        for line in lines
    ]


def _below(lines: Sequence[Row]) -> list[str]:
    """Arms below the baseline of their task in the column of the fixed validator."""
    rule = 'fixed_validator'
    judged = [line for line in lines if rule in line.scores]
    low = {
        line.task: line.scores[rule].mean for line in judged if line.arm in BASELINES
    }
    return [
        f'{line.arm.replace("_", " ")} on {line.task}'
        for line in judged
        if line.scores[rule].mean < low.get(line.task, -1)
    ]


def _heading(lines: Sequence[Row]) -> list[str]:
    """The task above the table, where all rows share it."""
    tasks = {line.task for line in lines}
    return [f'{tasks.pop()}:', ''] if len(tasks) == 1 else []


def percent(score: Score | None) -> str:
    """A score in %, '' for none."""
    if score is None:
        return ''
    spread = '' if score.std is None else f' ± {100 * score.std:.1f}'
    return f'{100 * score.mean:.1f}{spread}'


def _steps(result: dict) -> int:
    return max(result['target_accuracy']['last']['steps'])


def _order(result: dict) -> tuple:
    place = 0 if result['arm'] in BASELINES else 1 + (result['arm'] == CEILING)
    return place, result['arm'], result['experiment'], _steps(result), result['seeds']


def _partner(
    result: dict, results: Sequence[dict], arms: Sequence[str]
) -> float | None:
    """Last accuracy of the one result of `arms` to compare with; None if it is unclear.

    Of several, those of the same steps, then of the same seeds, then of the same page.
    """
    found = [other for other in results if other['arm'] in arms]
    for view in (_steps, lambda r: r['seeds'], lambda r: r['experiment']):
        same = [other for other in found if view(other) == view(result)]
        found = same if len(found) > 1 and same else found
    return found[0]['target_accuracy']['last']['mean'] if len(found) == 1 else None


def _told(name: str, value) -> bool:
    """Whether a field is said even where nothing differs from it: another network."""
    return name == 'norm' and value != ''


def _differences(result: dict, results: Sequence[dict]) -> str:
    """Config fields, but steps and seeds, that tell it from others of its kind."""
    alike = [
        other['config']
        for other in results
        if all(other[key] == result[key] for key in ('arm', 'experiment', 'task'))
    ]
    own = result['config']
    return ', '.join(
        f'{name} {"default" if value in ("", None) else value}'
        for name, value in own.items()
        if name not in ('steps', 'seeds')
        and (any(other.get(name) != value for other in alike) or _told(name, value))
    )
