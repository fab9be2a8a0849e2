"""Tables of experiments.adapt on known pairs: the choice of its default, and its gain.

From the result files of experiments/adaptation/own_photographs.py, one for each pair.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.adaptation import own_photographs as study
from transfer_jax import selection
from transfer_jax.adapt import experiment, shallow_way, verdict
from transfer_jax.reports import grids

NAME, CHOICE = 'adapt', 'choice'
EXPERIMENT = 'adaptation.own_photographs'
PLAIN, METHOD = 'source_only', experiment.DEFAULT
COMMAND = f'python -m experiments.sweep experiments.{EXPERIMENT}'
NUMBERS = {  # of the table of the choice
    selection.FIXED: 'fixed validator',
    'snd': 'SND',
    **verdict.SECOND,
    'source_validation': 'source accuracy',
    'accuracy': 'target accuracy',
}


class Gain(NamedTuple):
    """The default method minus source only on one pair."""

    pair: str
    differences: np.ndarray  # (seeds,) of target accuracy
    answers: tuple[str, ...]  # the advice of each seed

    @property
    def right(self) -> int:
        """How many of the advices follow the sign of their difference."""
        asked = zip(self.answers, self.differences, strict=True)
        return sum(
            (answer == verdict.YES and d > 0) or (answer == verdict.NO and d <= 0)
            for answer, d in asked
        )


def of(results: Sequence[dict], part: str = '') -> list[dict]:
    """The results of the measurement, or of the choice, in the order of the sweep."""
    pairs = study.CHOSEN_ON if part == CHOICE else study.MEASURED_ON
    chosen = [
        result
        for result in results
        if result['experiment'] == EXPERIMENT
        and result['config']['choice'] == (part == CHOICE)
        and result['config']['pair'] in pairs
    ]
    return sorted(chosen, key=lambda r: pairs.index(r['config']['pair']))


def missing(results: Sequence[dict]) -> list[dict[str, str]]:
    """The pairs without a result, and the commands that make one."""
    present = {result['config']['pair'] for result in of(results)}
    return [
        {
            'task': pair,
            'method': METHOD,
            'command': f'python -m experiments.{EXPERIMENT} --config.pair {pair}',
        }
        for pair in study.MEASURED_ON
        if pair not in present
    ]


def text(results: Sequence[dict]) -> str:
    """Both tables as plain text."""
    parts = [_table(results, part, grids.text) for part in ('', CHOICE)]
    return '\n\n\n'.join(filter(None, parts))


def markdown(results: Sequence[dict], part: str = '') -> str:
    """A table in GitHub's markdown; empty without results."""
    return _table(results, part, grids.markdown)


def gain(result: Mapping[str, Any]) -> Gain:
    """Of the result of one pair."""
    rows = {(row['method'], row['seed']): row for row in result['rows']}
    seeds = sorted({seed for _, seed in rows})
    pairs = [(rows[METHOD, seed], rows[PLAIN, seed]) for seed in seeds]
    return Gain(
        result['config']['pair'],
        np.array([one['accuracy'] - other['accuracy'] for one, other in pairs]),
        tuple(
            verdict.decide([one], [other], bool(one[study.GATHERS]))[0]
            for one, other in pairs
        ),
    )


def _table(results, part, form) -> str:
    selected = of(results, part)
    if not selected:
        return ''
    head, body, legend = (_choice if part == CHOICE else _measured)(selected)
    lines = form(head, body, ('pair', 'method', 'advice'))
    return '\n'.join([*lines, '', legend, '', f'    {COMMAND}'])


def _measured(results):
    """A row for each pair, and one of all."""
    columns = (*shallow_way.PLAIN[::-1], PLAIN, METHOD)
    head = ['pair', *map(_title, columns), 'difference', 'advice', 'right', 'n']
    gains = [gain(result) for result in results]
    body = []
    for result, of_pair in zip(results, gains, strict=True):
        accuracy = [_accuracies(result, method) for method in columns]
        body.append(
            [
                of_pair.pair.replace('-', ' -> '),
                *(f'{100 * np.mean(a):.1f} ± {100 * _std(a):.1f}' for a in accuracy),
                _with_error(of_pair.differences),
                _counted(of_pair.answers),
                f'{of_pair.right} of {len(of_pair.answers)}',
                str(len(of_pair.answers)),
            ]
        )
    everything = np.concatenate([of_pair.differences for of_pair in gains])
    means = [np.mean([_accuracies(r, m).mean() for r in results]) for m in columns]
    answers = [answer for of_pair in gains for answer in of_pair.answers]
    right = sum(of_pair.right for of_pair in gains)
    body.append(
        [
            'mean',
            *(f'{100 * mean:.1f}' for mean in means),
            _with_error(everything),
            _counted(answers),
            f'{right} of {len(answers)}',
            str(len(everything)),
        ]
    )
    left = [p for p in study.MEASURED_ON if p not in {g.pair for g in gains}]
    not_run = f' Not run: {", ".join(left)}.' if left else ''
    return head, body, MEASURED + not_run


def _choice(results):
    """A row for each candidate: its mean over the pairs that all candidates have."""
    head = ['method', *NUMBERS.values()]
    rows: dict[tuple[str, float], list[dict]] = {}
    for result in results:
        for row in result['rows']:
            key = row['method'], result['config']['factor']
            rows.setdefault(key, []).append(row)
    body, pairs = [], len({result['config']['pair'] for result in results})
    order = [*study.CANDIDATES]
    for (method, factor), of_candidate in sorted(
        rows.items(), key=lambda item: (order.index(item[0][0]), item[0][1])
    ):
        name = _title(method) + (f', weight x {factor:g}' if factor != 1 else '')
        if len(of_candidate) != pairs:
            name += f' ({len(of_candidate)} of {pairs} pairs)'
        cells = []
        for number in NUMBERS:
            value = np.mean([row.get(number, np.nan) for row in of_candidate])
            percent = 'accuracy' in NUMBERS[number]
            cells.append(f'{100 * value:.1f}' if percent else f'{value:.3f}')
        body.append([name, *cells])
    names = dict.fromkeys(result['config']['pair'] for result in results)
    return head, body, CHOSEN.format(pairs=', '.join(names))


MEASURED = (
    'Target accuracy in %, of the model that the command keeps: mean ± standard '
    'deviation over seeds. Nearest neighbour and logistic regression are of features '
    'of the frozen network. Difference: of each seed from source only of the same '
    'seed, mean ± standard error, in points. Advice: how many seeds got it, each '
    'judged alone; right is yes where the difference is above 0, and no elsewhere.'
)
CHOSEN = (
    'Mean over {pairs}; 200 steps, one seed. The default is the row with the highest '
    'fixed validator. Target accuracy was not used.'
)


def _accuracies(result, method) -> np.ndarray:
    values = [r['accuracy'] for r in result['rows'] if r['method'] == method]
    return np.array(values)


def _title(method: str) -> str:
    return 'source only (AdaBN)' if method == PLAIN else method.replace('_', ' ')


def _counted(answers: Sequence[str]) -> str:
    return ', '.join(f'{answer} {n}' for answer, n in Counter(answers).most_common())


def _std(values) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _with_error(differences: np.ndarray) -> str:
    error = _std(differences) / np.sqrt(len(differences))
    return f'{100 * differences.mean():+.1f} ± {100 * error:.1f}'
