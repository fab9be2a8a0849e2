"""What a run came to: the rows of its history that the rules choose."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from transfer_jax.runs import folder
from transfer_jax import selection


def summarize(experiment: Any, history: Sequence[dict]) -> dict:
    """The content of the result.json of a running.Experiment.

    'target_accuracy' is of each rule's row for each seed, 'validators' of the row that
    each validator would have chosen, 'diagnostics' are of the last row. A history from
    before a validator or a diagnostic was there is without it.
    """
    last_stage = experiment.stages[-1].name if experiment.stages else 'closed_form'
    runs = []
    for seed in experiment.seeds:
        rows = [r for r in history if (r['seed'], r['stage']) == (seed, last_stage)]
        runs.append(sorted(rows, key=lambda row: row['step']))
    lasts = [rows[-1] for rows in runs]
    return {
        'experiment': experiment.name,
        'arm': experiment.arm,
        'task': experiment.task,
        'fast': experiment.fast,
        'config': dataclasses.asdict(experiment.config),
        **folder.provenance(),
        'device': f'{os.cpu_count()} cores'
        if jax.default_backend() == 'cpu'
        else jax.devices()[0].device_kind,
        'seeds': list(experiment.seeds),
        'target_test_images': history[-1]['target_test_images'],
        'target_accuracy': {
            rule: _accuracy([selection.choose(rows, rule) for rows in runs])
            for rule in selection.RULES
        },
        'fixed_validator': selection.FIXED,
        'validators': {
            name: _chosen_by(name, [selection.best(rows, name) for rows in runs])
            for name in selection.VALIDATORS
            if all(name in row for rows in runs for row in rows)
        },
        'diagnostics': {
            name: _spread([row[name] for row in lasts])
            for name in selection.DIAGNOSTICS
            if all(name in row for row in lasts)
        },
    }


def _accuracy(rows) -> dict:
    """Target accuracy of a row of each seed."""
    spread = _spread([row['target_test'] for row in rows])
    return {**spread, 'steps': [row['step'] for row in rows]}


def _chosen_by(validator, rows) -> dict:
    """Their target accuracy, and the scores by which they were chosen."""
    return {**_accuracy(rows), 'scores': [row[validator] for row in rows]}


def _spread(values) -> dict:
    return {
        'mean': float(np.mean(values)),
        'std': float(np.std(values, ddof=1)) if len(values) > 1 else None,
        'values': values,
    }
