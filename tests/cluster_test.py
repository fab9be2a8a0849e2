"""A sweep as tasks of a cluster: submitit's local executor, a process a group."""

import json
import sys

import pytest

from experiments import sweep

pytestmark = pytest.mark.slow
GRID = ('--grid', 'config.rate=0.01,0.003', '--grid', 'config.steps=4,6')


def test_every_group_is_a_task(tmp_path, capsys):
    flags = [
        'experiments.adaptation.dann',
        '--fast',
        *GRID,
        '--run-root',
        str(tmp_path),
    ]
    sweep.main([*flags, '--cluster', 'local', '--cluster-options', 'timeout_min=10'])
    results = [json.loads(p.read_text()) for p in tmp_path.glob('*/*/result.json')]
    seen = sorted((r['config']['steps'], r['config']['rate']) for r in results)
    assert seen == [(4, 0.003), (4, 0.01), (6, 0.003), (6, 0.01)]
    place = next(tmp_path.glob('*/sweep-*'))
    outputs = list((place / 'tasks').glob('*_log.out'))
    assert len(outputs) == 2  # steps make two programs, rates none
    assert (place / 'report.html').exists()
    capsys.readouterr()
    sweep.main([*flags, '--list'])
    assert capsys.readouterr().out.count('finished') == 4


def test_a_task_that_dies_is_reported(tmp_path, monkeypatch, capsys):
    """The interpreter of the tasks ends at once; the sweep says so and ends with 1."""
    monkeypatch.setattr(sys, 'executable', '/bin/false')
    flags = [
        'experiments.adaptation.dann',
        '--fast',
        *GRID,
        '--run-root',
        str(tmp_path),
    ]
    with pytest.raises(SystemExit) as stop:
        sweep.main([*flags, '--cluster', 'local'])
    assert stop.value.code == 1
    assert 'group 1' in capsys.readouterr().out
