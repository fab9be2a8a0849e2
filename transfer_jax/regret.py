"""What it costs to choose a model without target labels: a table from result files."""

from collections.abc import Iterable

from transfer_jax import tables


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
