"""What selecting a model without target labels costs: a table from result files."""

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from transfer_jax import runs
from transfer_jax.reports import gains, grids, tables

NUMBER = 'target_test'
FEWEST = 5  # methods of a ranking; the correlation of fewer says nothing


def rows(
    results: Iterable[dict], notes: tables.Notes = lambda result: {}
) -> list[dict]:
    """Cost of each rule or validator: oracle less chosen, mean over seeds, in points.

    {'task', 'method', 'norm', 'config', 'seeds', 'oracle', 'cost': {rule or validator:
    points}}. 'config' tells results of one method and task apart, in the words of
    `tables.differences`; of equal configs it has the git revision.
    """
    results = list(results)
    answer = []
    for result in results:
        columns = {'last': result['scores']['last'], **result['validators']}
        oracle = result['scores']['oracle'][NUMBER]['mean']
        answer.append(
            {
                'task': result['task'],
                'method': result['method'],
                'norm': gains.compared(result).norm,
                'config': tables.differences(result, results, notes),
                'seeds': len(result['seeds']),
                'oracle': oracle,
                'cost': {
                    name: 100 * (oracle - of[NUMBER]['mean'])
                    for name, of in columns.items()
                },
            }
        )
    alike = collections.Counter(map(_label, answer))
    for row, result in zip(answer, results, strict=True):
        if alike[_label(row)] > 1:
            row['config'] = (
                f'{row["config"]} {runs.provenance.revisions(result)}'.strip()
            )
    return answer


class Ranked(NamedTuple):
    """A method in a ranking; its numbers are means over tasks and seeds."""

    method: str
    norm: str
    config: str
    score: float  # of the validator
    accuracy: float  # on the target test set, at the step that the validator chose


def ranking(
    results: Iterable[dict],
    tasks: Sequence[str],
    validator: str,
    notes: tables.Notes = lambda result: {},
) -> list[Ranked]:
    """Methods in the order in which a validator would choose between them, best first.

    Only methods with a result on each of the tasks, and a number as its score on each;
    several configs of a method are several entries. Train on target is left out.
    """
    results = [result for result in results if result['task'] in tasks]
    by_config: dict[tuple[str, str, str], dict[str, Mapping]] = {}
    for result in results:
        chosen = result['validators'].get(validator, {})
        known = 'scores' in chosen and not np.isnan(chosen['scores']).any()
        if known and result['method'] != gains.CEILING:
            config = tables.differences(result, results, notes)
            label = result['method'], gains.compared(result).norm, config
            if result['task'] in by_config.get(label, {}):
                continue  # of two that a table does not tell apart, the first
            by_config.setdefault(label, {})[result['task']] = chosen
    ranked = []
    for label, of_task in by_config.items():
        if len(of_task) == len(tasks):
            chosen = of_task.values()
            scores = [score for one in chosen for score in one['scores']]
            values = [value for one in chosen for value in one[NUMBER]['values']]
            ranked.append(Ranked(*label, np.mean(scores), np.mean(values)))
    return sorted(ranked, key=lambda row: -row.score)


def correlation(ranked: Sequence[Ranked]) -> float | None:
    """Spearman's rank correlation of score and accuracy; None for too few methods.

    None too where all scores or all accuracies are equal.
    """
    if len({row.method for row in ranked}) < FEWEST:
        return None
    scores = [row.score for row in ranked]
    accuracies = [row.accuracy for row in ranked]
    if len(set(scores)) == 1 or len(set(accuracies)) == 1:
        return None
    return float(stats.spearmanr(scores, accuracies).statistic)


def table(
    results: Iterable[dict],
    *,
    markdown: bool = False,
    notes: tables.Notes = lambda result: {},
) -> str:
    """`rows`, a line for each run and a column for each rule or validator."""
    costs = rows(results, notes)
    if not costs:
        return 'No result files yet.'
    names = list(dict.fromkeys(name for one in costs for name in one['cost']))
    about = ['task', 'method', *(n for n in ('norm', 'config') if _any(costs, n))]
    head = [*about, 'n', 'oracle', *(name.replace('_', ' ') for name in names)]
    body = [
        [
            *(one[name].replace('_', ' ') for name in about),
            str(one['seeds']),
            f'{100 * one["oracle"]:.1f}',
            *(f'{one["cost"][n]:.1f}' if n in one['cost'] else '' for n in names),
        ]
        for one in costs
    ]
    grid = (grids.markdown if markdown else grids.text)(head, body)
    note = (
        'Oracle: accuracy in %, mean over n seeds. To its right: points lost to it by '
        'choosing the step by the last one or by a validator. No choice in any table '
        'was made by these numbers.'
    )
    return '\n'.join([*grid, '', note])


def _label(row: Mapping) -> tuple:
    return tuple(row[key] for key in ('task', 'method', 'norm', 'config', 'seeds'))


def _any(costs: Sequence[Mapping], name: str) -> bool:
    return any(one[name] not in ('', 'none') for one in costs)
