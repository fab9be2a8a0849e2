"""Tables of results, as text, markdown, HTML cells and JSON, from result files only.

A result is the content of a result.json. The results of one call of `rows` are of one
task, so that the methods can be compared. With source only and train on target among
them, every other method gets the share of the gap between the two that it covers.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from transfer_jax.reports import grids

# Methods that the others lie between.
BASELINES, CEILING = ('source_only', 'none'), 'train_on_target'
# What each rule of adaptation picks, for the legend.
EXPLAINED = {
    'last': 'the last step',
    'source_validation': 'the step best on held-out source images',
    'fixed_validator': 'the step best by {validator}, fixed in advance',
    'oracle': 'the step best on the target test labels, which no other column looks at',
}


class Score(NamedTuple):
    """Mean and standard deviation over seeds; one seed has no `std`."""

    mean: float
    std: float | None
    percent: bool = True  # a fraction, shown in %


class Row(NamedTuple):
    """A line of a table."""

    task: str
    method: str
    experiment: str
    number: str  # the title of what the scores are: 'target test accuracy'
    steps: int  # of the last stage
    seeds: int
    examples: int | None  # that the number is over, such as target test images
    scores: Mapping[str, Score]  # {rule: ...}
    rules: Mapping[str, Mapping]  # {rule: its name, best, oracle}
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
      published: {method: accuracy}.
    """
    results = sorted(results, key=_order)
    answer = []
    for result in results:
        shown_numbers = (n for n in result['numbers'].items() if n[1]['in_tables'])
        for name, number in shown_numbers:
            scores = {
                rule: Score(of[name]['mean'], of[name]['std'], number['percent'])
                for rule, of in result['scores'].items()
            }
            gain, share = _gain(result, results, name)
            answer.append(
                Row(
                    task=task or result['task'],
                    method=result['method'],
                    experiment=result['experiment'],
                    number=number['title'],
                    steps=_steps(result),
                    seeds=len(result['seeds']),
                    examples=result['examples'],
                    scores=scores,
                    rules=result['rules'],
                    gain=gain,
                    share=share,
                    differs=_differences(result, results),
                    published=(published or {}).get(result['method']),
                )
            )
    return answer


def cells(lines: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of strings; columns that would be empty or constant are out."""
    columns = {
        'task': [line.task for line in lines],
        'method': [line.method.replace('_', ' ') for line in lines],
        'number': [line.number for line in lines],
    }
    for rule in dict.fromkeys(rule for line in lines for rule in line.scores):
        columns[title(rule)] = [shown(line.scores.get(rule)) for line in lines]
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
    columns['images'] = [
        f'{line.examples:,}' if line.examples else '' for line in lines
    ]
    columns['config'] = [line.differs for line in lines]
    names = [
        name
        for name, values in columns.items()
        if any(values) and not (name in ('task', 'number') and len(set(values)) == 1)
    ]
    return names, [list(row) for row in zip(*(columns[n] for n in names), strict=True)]


def title(rule: str) -> str:
    """The heading of a rule's column."""
    return rule.replace('_', ' ')


def legend(lines: Sequence[Row]) -> list[str]:
    """What the columns are, a sentence each."""
    numbers = {line.number: line.scores for line in lines}
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
    if any(line.share is not None for line in lines):
        sentences.append(
            'Gap covered: (method - source only) / (train on target - source only), at '
            'the last step.'
        )
    if any(line.gain is not None for line in lines):
        sentences.append(
            'Gain: points over the method without adaptation, at the last step.'
        )
    if any(line.published is not None for line in lines):
        sentences.append('Published: by the paper that the experiment names.')
    below = _below(lines)
    if below:
        sentences.append(
            'Below the method without adaptation under the fixed validator: '
            f'{"; ".join(below)}.'
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
    """Methods below the baseline of their task in the column of the fixed validator."""
    rule = 'fixed_validator'
    judged = [line for line in lines if rule in line.scores]
    low = {
        line.task: line.scores[rule].mean for line in judged if line.method in BASELINES
    }
    return [
        f'{line.method.replace("_", " ")} on {line.task}'
        for line in judged
        if line.scores[rule].mean < low.get(line.task, -1)
    ]


def _heading(lines: Sequence[Row]) -> list[str]:
    """The task above the table, where all rows share it."""
    tasks = {line.task for line in lines}
    return [f'{tasks.pop()}:', ''] if len(tasks) == 1 else []


def shown(score: Score | None) -> str:
    """'91.1 ± 1.2' in % for fractions, else '3.21 ± 0.10'; '' for none."""
    if score is None:
        return ''
    factor, digits = (100, 1) if score.percent else (1, 2)
    std = '' if score.std is None else f' ± {factor * score.std:.{digits}f}'
    return f'{factor * score.mean:.{digits}f}{std}'


def _gain(result, results, name) -> tuple[float | None, float | None]:
    """(points over source only, share of the gap) of a number at the last step."""
    if 'last' not in result['scores'] or result['method'] in (*BASELINES, CEILING):
        return None, None
    low = _partner(result, results, BASELINES, name)
    high = _partner(result, results, (CEILING,), name)
    if low is None or not result['numbers'][name]['percent']:
        return None, None
    gain = result['scores']['last'][name]['mean'] - low
    covers = high is not None and high > low
    return gain, gain / (high - low) if covers else None


def _steps(result: dict) -> int:
    return max(max(steps) for steps in result['steps'].values())


def _order(result: dict) -> tuple:
    method = result['method']
    rank = 0 if method in BASELINES else 1 + (method == CEILING)
    return rank, method, result['experiment'], _steps(result), result['seeds']


def _partner(
    result: dict, results: Sequence[dict], methods: Sequence[str], name: str
) -> float | None:
    """The last number of the one result of `methods` to compare with.

    Of several results, those of the same steps, then of the same seeds, then of the
    same experiment. None where it stays unclear.
    """
    candidates = [
        other
        for other in results
        if other['method'] in methods and name in other['numbers']
    ]
    for view in (_steps, lambda r: r['seeds'], lambda r: r['experiment']):
        same = [other for other in candidates if view(other) == view(result)]
        candidates = same if len(candidates) > 1 and same else candidates
    if len(candidates) != 1:
        return None
    return candidates[0]['scores']['last'][name]['mean']


def _always_shown(name: str, value) -> bool:
    """Whether a field is shown even where nothing differs from it: another network."""
    return name == 'norm' and value != ''


def _differences(result: dict, results: Sequence[dict]) -> str:
    """Config fields, but steps and seeds, that differ from results like it."""
    alike = [
        other['config']
        for other in results
        if all(other[key] == result[key] for key in ('method', 'experiment', 'task'))
    ]
    return ', '.join(
        f'{name} {"default" if value in ("", None) else value}'
        for name, value in result['config'].items()
        if name not in ('steps', 'seeds')
        and (
            any(other.get(name) != value for other in alike)
            or _always_shown(name, value)
        )
    )
