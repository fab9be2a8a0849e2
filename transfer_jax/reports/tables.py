"""Tables of results, as text, markdown, HTML cells and JSON, from result files only.

A result is the content of a result.json. The results of one call of `rows` are of one
task, so that the methods can be compared. `gains` says what each is compared with: a
method gets its gain over the same network without its loss, and, with train on target
among the results, the share of the gap between the two that it covers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from transfer_jax.reports import averages, gains, grids

# What each rule of adaptation picks, for the legend.
EXPLAINED = {
    'last': 'the last step',
    'source_validation': 'the step best on held-out source images',
    'fixed_validator': 'the step best by {validator}, fixed in advance',
    'oracle': 'the step best on the target test labels, which no other column looks at',
}
FEW = 3  # seeds; with fewer the legend warns
OF_FEW = f'n below {FEW}: the standard deviation says little, and one seed has none.'
NOT_RUN = 'not run'
# {config field: what a table says of it instead of its value; '' says nothing}
Notes = Callable[[dict], Mapping[str, str]]


class Row(NamedTuple):
    """A line of a table."""

    task: str
    method: str
    experiment: str
    number: str  # the title of what the scores are: 'target test accuracy'
    steps: int  # of the last stage
    seeds: int  # 0: not run
    examples: int | None  # that the number is over, such as target test images
    scores: Mapping[str, averages.Score]  # {rule: ...}; empty: not run
    rules: Mapping[str, Mapping]  # {rule: its name, best, oracle}
    gain: float | None  # over the baseline at the last step
    share: float | None  # of the gap, at the last step
    differs: str  # config fields in which it differs from rows like it
    published: float | None
    norm: str = ''  # the batch-norm policy in effect
    baseline: Mapping[str, float] = {}  # {rule: mean of the baseline}


def rows(
    results: Iterable[dict],
    *,
    task: str | None = None,
    published: Mapping[str, float] | None = None,
    notes: Notes = lambda result: {},
) -> list[Row]:
    """Lines for the results of one task: source only first, train on target last.

    Args:
      task: what to call it; by default each result's own name for it.
      published: {method: accuracy}.
      notes: see Notes.
    """
    results = list(results)
    answer = []
    for result in results:
        shown_numbers = (n for n in result['numbers'].items() if n[1]['in_tables'])
        for name, number in shown_numbers:
            scores = {
                rule: averages.score(of[name], len(result['seeds']), number['percent'])
                for rule, of in result['scores'].items()
            }
            gain = gains.gain(result, results, name)
            answer.append(
                Row(
                    task=task or result['task'],
                    method=result['method'],
                    experiment=result['experiment'],
                    number=number['title'],
                    steps=gains.steps(result),
                    seeds=len(result['seeds']),
                    examples=result['examples'],
                    scores=scores,
                    rules=result['rules'],
                    gain=gain.points,
                    share=gain.share,
                    differs=differences(result, results, notes),
                    published=(published or {}).get(result['method']),
                    norm=gains.compared(result).norm,
                    baseline=gain.baseline,
                )
            )
    return in_order(answer)


def in_order(lines: Iterable[Row]) -> list[Row]:
    """Source only first and train on target last; of a method, no batch norm first."""

    def key(line):
        last = line.method == gains.CEILING
        rank = 0 if line.method in gains.BASELINES else 1 + last
        norm = '' if line.norm == 'none' else line.norm
        made = line.seeds == 0, line.experiment, line.steps, line.seeds
        return rank, line.method, norm, *made

    return sorted(lines, key=key)


def cells(lines: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of strings; columns that would be empty or constant are out."""
    rules = list(dict.fromkeys(rule for line in lines for rule in line.scores))
    columns = {
        'task': [line.task for line in lines],
        'method': [line.method.replace('_', ' ') for line in lines],
        'norm': [line.norm for line in lines],
        'number': [line.number for line in lines],
    }
    for rule in rules:
        columns[title(rule)] = [averages.shown(line.scores.get(rule)) for line in lines]
        if rule == rules[0]:
            columns['interval'] = [
                averages.shown_interval(line.scores.get(rule)) for line in lines
            ]
            columns[title(rule)] = [
                value or ('' if line.seeds else NOT_RUN)
                for value, line in zip(columns[title(rule)], lines, strict=True)
            ]
    columns['gain'] = [
        '' if line.gain is None else f'{100 * line.gain:+.1f}' for line in lines
    ]
    shares = [line.share for line in lines]
    columns['gap covered'] = ['' if s is None else f'{100 * s:.0f} %' for s in shares]
    columns['published'] = [
        '' if line.published is None else f'{100 * line.published:.1f}'
        for line in lines
    ]
    columns['n'] = [str(line.seeds) if line.seeds else '' for line in lines]
    columns['steps'] = [f'{line.steps:,}' if line.steps else '' for line in lines]
    columns['images'] = [
        f'{line.examples:,}' if line.examples else '' for line in lines
    ]
    columns['config'] = [line.differs for line in lines]
    names = [
        name
        for name, values in columns.items()
        if any(values)
        and not (name in ('task', 'number') and len(set(values)) == 1)
        and not (name == 'norm' and set(values) <= {'', 'none'})
    ]
    return names, [list(row) for row in zip(*(columns[n] for n in names), strict=True)]


def title(rule: str) -> str:
    """The heading of a rule's column."""
    return rule.replace('_', ' ')


def legend(lines: Sequence[Row]) -> list[str]:
    """What the columns are, a sentence each."""
    numbers = {line.number: line.scores for line in lines if line.scores}
    percent = [any(s.percent for s in of.values()) for of in numbers.values()]
    sentences = [
        f'{" and ".join(numbers).capitalize()}'
        f'{" in %" if all(percent) else ""}, mean ± standard deviation over n seeds.'
    ]
    rules = {rule: of for line in lines for rule, of in line.rules.items()}
    picked = []
    for rule, of in rules.items():
        what = EXPLAINED.get(rule)
        if what is None:
            what = f'the step with the {of["best"]}imum of {of["name"]}'
        validators = {
            line.rules[rule]['name'].replace('_', ' ')
            for line in lines
            if rule in line.rules and line.rules[rule]['name']
        }
        what = what.format(validator=' or '.join(sorted(validators)))
        picked.append(f'{title(rule).capitalize()}: {what}.')
    sentences.append(' '.join(picked))
    first = next(iter(rules), '')
    if any(first in line.scores and line.scores[first].interval for line in lines):
        sentences.append(
            f"Interval: of the mean in column {title(first)}, by Student's t over the "
            f'seeds at level {averages.LEVEL}.'
        )
    if any(0 < line.seeds < FEW for line in lines):
        sentences.append(OF_FEW)
    if any(line.share is not None for line in lines):
        sentences.append(
            'Gap covered: (method - baseline) / (train on target - baseline), of one '
            'network, at the last step.'
        )
    if any(line.gain is not None for line in lines):
        sentences.append(
            'Gain: points over the baseline, the same network without a loss on the '
            'target, at the last step; empty without a baseline.'
        )
    if any(line.published is not None for line in lines):
        sentences.append('Published: by the paper that the experiment names.')
    for rule in rules:
        without = [
            f'{line.method.replace("_", " ")} on {line.task}'
            for line in lines
            if line.seeds and rule in line.rules and rule not in line.scores
        ]
        if without:
            sentences.append(
                f'No {title(rule)}, as a seed lacks its score at some evaluation: '
                f'{"; ".join(without)}.'
            )
    below = _below(lines)
    if below:
        sentences.append(
            f'Below their baseline under the fixed validator: {"; ".join(below)}.'
        )
    return sentences


def text(lines: Sequence[Row]) -> str:
    """The table in columns of plain text, with its legend."""
    table = grids.text(*cells(lines))
    return '\n'.join([*_heading(lines), *table, '', *legend(lines)])


def markdown(lines: Sequence[Row], *, explain: bool = True) -> str:
    """The table in GitHub's markdown, with its legend where it is to explain itself."""
    table = grids.markdown(*cells(lines))
    notes = ['', ' '.join(legend(lines))] if explain else []
    return '\n'.join([*_heading(lines), *table, *notes])


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
    """Methods below their baseline in the column of the fixed validator."""
    rule = 'fixed_validator'
    return [
        f'{line.method.replace("_", " ")} on {line.task}'
        for line in lines
        if rule in line.scores
        and line.scores[rule].mean < line.baseline.get(rule, float('-inf'))
    ]


def _heading(lines: Sequence[Row]) -> list[str]:
    """The task above the table, where all rows share it."""
    tasks = {line.task for line in lines}
    return [f'{tasks.pop()}:', ''] if len(tasks) == 1 else []


def differences(result: dict, results: Iterable[dict], notes: Notes) -> str:
    """Config fields, but norm, steps and seeds, that differ from results like it."""
    alike = [
        other['config']
        for other in results
        if all(other[key] == result[key] for key in ('method', 'experiment', 'task'))
    ]
    noted = notes(result)
    values = {
        name: f'{name} {"default" if value in ("", None) else value}'
        for name, value in result['config'].items()
        if name not in ('norm', 'steps', 'seeds', *noted)
        and any(other.get(name) != value for other in alike)
    }
    return ', '.join(filter(None, [*noted.values(), *values.values()]))
