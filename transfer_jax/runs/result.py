"""The content of result.json: the numbers of the rows that the rules pick."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from transfer_jax import selection
from transfer_jax.runs import folder
from transfer_jax.runs.experiment import Experiment


def summarize(
    experiment: Experiment,
    history: Sequence[dict],
    starts: Sequence[dict] = (),
    costs: Sequence[dict] = (),
) -> dict:
    """The content of result.json, from the rows of history, starts and costs.jsonl.

    'scores' are {rule: {number: mean, std and values over seeds}} of the rows that the
    rules pick, 'steps' the steps of these rows. 'compared' says which results of the
    task have the same network, see Compared. 'validators' are the same numbers of
    the row that each validator would pick, with its own scores; 'diagnostics' are of
    the last row. Rules and validators without a number in every row are left out, see
    selection.defined; 'undefined' names such rules.
    """
    stage = experiment.stages[-1].name
    by_seed = []
    for seed in experiment.seeds:
        rows = [r for r in history if (r['seed'], r['stage']) == (seed, stage)]
        by_seed.append(sorted(rows, key=lambda row: row['step']))
    last = [rows[-1] for rows in by_seed]
    shown = [name for name, number in experiment.numbers.items() if number.in_tables]
    chosen = {
        column: [selection.choose(rows, rule) for rows in by_seed]
        for column, rule in experiment.rules.items()
    }
    undefined = [
        column
        for column, rule in experiment.rules.items()
        if not _defined(rule, by_seed)
    ]
    chosen = {c: rows for c, rows in chosen.items() if c not in undefined}
    counts = [experiment.numbers[name].count for name in shown]
    return {
        'format': folder.FORMAT,
        'experiment': experiment.name,
        'method': experiment.method,
        'task': experiment.task,
        'fast': experiment.fast,
        'config': folder.plain(experiment.config),
        'compared': experiment.compared and experiment.compared._asdict(),
        'starts': list(starts),
        'cost': cost(experiment.seeds, costs),
        'seeds': list(experiment.seeds),
        'examples': next((int(last[-1][name]) for name in counts if name), None),
        'numbers': {name: n._asdict() for name, n in experiment.numbers.items()},
        'rules': {column: rule._asdict() for column, rule in experiment.rules.items()},
        'steps': {
            column: [row['step'] for row in rows] for column, rows in chosen.items()
        },
        'scores': {
            column: {name: mean_std([row[name] for row in rows]) for name in shown}
            for column, rows in chosen.items()
        },
        'validators': {
            name: _by_validator(name, by_seed, shown)
            for name in selection.VALIDATORS
            if _defined(selection.Rule(name), by_seed)
        },
        'undefined': undefined,
        'diagnostics': {
            name: mean_std([row[name] for row in last])
            for name in selection.DIAGNOSTICS
            if all(name in row for row in last)
        },
    }


def _defined(rule: selection.Rule, by_seed: Sequence[Sequence[dict]]) -> bool:
    return all(selection.defined(rows, rule) for rows in by_seed)


def mean_std(values: Sequence[float]) -> dict:
    """Mean and standard deviation over seeds; of one seed there is none."""
    return {
        'mean': float(np.mean(values)),
        'std': float(np.std(values, ddof=1)) if len(values) > 1 else None,
        'values': list(values),
    }


def cost(seeds: Sequence[int], rows: Sequence[dict]) -> dict:
    """{'seconds': of each seed, 'evaluation': share of them, 'peak_memory': bytes}.

    'evaluation' is the share in which training stood still for evaluations and
    checkpoints. What a killed process did is not in it.
    """
    seconds = [sum(r['seconds'] for r in rows if r['seed'] == seed) for seed in seeds]
    waited = sum(row['waited'] for row in rows if row['seed'] in seeds)
    return {
        'seconds': seconds,
        'evaluation': waited / sum(seconds) if sum(seconds) else None,
        'peak_memory': max((row['peak_memory'] for row in rows), default=None),
    }


def cost_text(result: Mapping[str, Any]) -> str:
    """'83 s a seed, 21% of them evaluations; at most 1.2 GB', where that is known."""
    known = result.get('cost') or {}
    if known.get('evaluation') is None:
        return ''
    return (
        f'{np.mean(known["seconds"]):.0f} s a seed, {known["evaluation"]:.0%} of them '
        f'evaluations; at most {known["peak_memory"] / 1e9:.1f} GB'
    )


def _by_validator(validator, by_seed, shown) -> dict:
    """What the rows with its highest scores have, and these scores."""
    rows = [selection.best(rows, validator) for rows in by_seed]
    return {
        'steps': [row['step'] for row in rows],
        'scores': [row[validator] for row in rows],
        **{name: mean_std([row[name] for row in rows]) for name in shown},
    }
