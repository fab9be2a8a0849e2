"""What selecting a model without target labels costs: a table from result files."""

from collections.abc import Iterable, Mapping, Sequence

from transfer_jax.reports import grids

NUMBER = 'target_test'


def rows(results: Iterable[dict]) -> list[dict]:
    """Cost of each rule or validator: oracle less chosen, mean over seeds, in points.

    {'task', 'method', 'seeds', 'oracle', 'cost': {rule or validator: points}}
    """
    answer = []
    for result in results:
        columns = {'last': result['scores']['last'], **result['validators']}
        oracle = result['scores']['oracle'][NUMBER]['mean']
        answer.append(
            {
                'task': result['task'],
                'method': result['method'],
                'seeds': len(result['seeds']),
                'oracle': oracle,
                'cost': {
                    name: 100 * (oracle - of[NUMBER]['mean'])
                    for name, of in columns.items()
                },
            }
        )
    return answer


def ranking(
    results: Iterable[dict], tasks: Sequence[str]
) -> list[tuple[str, str, float, float]]:
    """Methods in the order in which the fixed validator would choose between them.

    Only methods with a result on each of the tasks; several configs of a method are
    several entries.

    Returns:
      [(method, norm, mean score of the validator, mean accuracy), ...], the highest
      score first. Means are over tasks and seeds, at the step that it chose.
    """
    by_method: dict[tuple[str, str], dict[str, Mapping]] = {}
    for result in results:
        fixed = result['rules'].get('fixed_validator')
        chosen = result['validators'].get(fixed['name']) if fixed else None
        if result['task'] in tasks and chosen and 'scores' in chosen:
            norm = result['config'].get('norm', '')
            of_task = by_method.setdefault((result['method'], norm), {})
            of_task[result['task']] = chosen
    ranked = []
    for (method, norm), of_task in by_method.items():
        if len(of_task) == len(tasks):
            chosen = of_task.values()
            scores = [score for one in chosen for score in one['scores']]
            values = [value for one in chosen for value in one[NUMBER]['values']]
            ranked.append((method, norm, _mean(scores), _mean(values)))
    return sorted(ranked, key=lambda row: -row[2])


def table(results: Iterable[dict], *, markdown: bool = False) -> str:
    """`rows`, a column for each run and a line for each rule or validator."""
    costs = rows(results)
    if not costs:
        return 'No result files yet.'
    names = list(dict.fromkeys(name for one in costs for name in one['cost']))
    head = ['chosen by']
    body = [['oracle, accuracy in %'], *([name.replace('_', ' ')] for name in names)]
    for one in costs:
        head.append(f'{one["method"]}, {one["task"]} (n {one["seeds"]})')
        values = [f'{one["cost"][n]:.1f}' if n in one['cost'] else '' for n in names]
        for line, value in zip(
            body, [f'{100 * one["oracle"]:.1f}', *values], strict=True
        ):
            line.append(value)
    grid = (grids.markdown if markdown else grids.text)(head, body)
    note = 'Below the first line: points lost to the oracle, mean over n seeds.'
    return '\n'.join([*grid, '', note])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
