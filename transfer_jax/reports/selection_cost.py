"""What it costs to choose a model without target labels: a table from result files."""

from collections.abc import Iterable, Sequence

from transfer_jax.reports import tables


def rows(results: Iterable[dict]) -> list[dict]:
    """What each way of choosing costs: oracle less chosen, mean over seeds, in points.

    {'task', 'arm', 'seeds', 'oracle', 'regret': {rule or validator: points}}
    """
    answer = []
    for result in results:
        columns = {
            'last': result['target_accuracy']['last'],
            **result.get('validators', {}),
        }
        oracle = result['target_accuracy']['oracle']['mean']
        answer.append(
            {
                'task': result['task'],
                'arm': result['arm'],
                'seeds': len(result['seeds']),
                'oracle': oracle,
                'regret': {k: 100 * (oracle - v['mean']) for k, v in columns.items()},
            }
        )
    return answer


def ranking(results: Iterable[dict], tasks: Sequence[str]) -> list[tuple]:
    """Arms in the order in which the fixed validator would choose between them.

    Of arms with a result on each of the tasks; several configs of an arm are several
    entries.

    Returns:
      [(arm, config that differs, mean score of the validator, mean accuracy), ...], the
      highest score first, both over tasks and seeds, at the step that it chose.
    """
    found: dict[tuple[str, str], dict[str, dict]] = {}
    for result in results:
        chosen = result.get('validators', {}).get(result['fixed_validator'])
        if result['task'] in tasks and chosen and 'scores' in chosen:
            norm = result['config'].get('norm', '')
            found.setdefault((result['arm'], norm), {})[result['task']] = chosen
    ranked = []
    for (arm, norm), by_task in found.items():
        if len(by_task) == len(tasks):
            scores, values = (
                [v for chosen in by_task.values() for v in chosen[key]]
                for key in ('scores', 'values')
            )
            ranked.append((arm, norm, _mean(scores), _mean(values)))
    return sorted(ranked, key=lambda row: -row[2])


def table(results: Iterable[dict], *, markdown: bool = False) -> str:
    """`rows`, a column for each run and a line for each way of choosing."""
    found = rows(results)
    if not found:
        return 'No result files yet.'
    ways = list(dict.fromkeys(way for one in found for way in one['regret']))
    head = ['chosen by']
    body = [['oracle, accuracy in %'], *([way.replace('_', ' ')] for way in ways)]
    for one in found:
        head.append(f'{one["arm"]}, {one["task"]} (n {one["seeds"]})')
        values = [f'{one["regret"][w]:.1f}' if w in one['regret'] else '' for w in ways]
        for line, value in zip(
            body, [f'{100 * one["oracle"]:.1f}', *values], strict=True
        ):
            line.append(value)
    grid = (tables.markdown_grid if markdown else tables.text_grid)(head, body)
    said = 'Below the first line: points lost to the oracle, mean over n seeds.'
    return '\n'.join([*grid, '', said])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
