"""A sweep as tasks of a cluster: submitit's local executor, a process a group."""

import json
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).parents[1]
FLAGS = (
    *('experiments.adaptation.dann', '--fast'),
    *('--grid', 'config.rate=0.01,0.003', '--grid', 'config.steps=4,6'),
)
CODE = 'import sys; from experiments import sweep; {}sweep.main(sys.argv[1:])'


def _sweep(place, *flags, before=''):
    return subprocess.run(
        [sys.executable, '-c', CODE.format(before), *FLAGS, *flags]
        + ['--run-root', str(place)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )


def test_every_group_is_a_task(tmp_path):
    options = ('--cluster-options', 'timeout_min=10')
    run = _sweep(tmp_path, '--cluster', 'local', *options)
    assert run.returncode == 0, run.stdout + run.stderr
    results = [json.loads(p.read_text()) for p in tmp_path.glob('*/*/result.json')]
    seen = sorted((r['config']['steps'], r['config']['rate']) for r in results)
    assert seen == [(4, 0.003), (4, 0.01), (6, 0.003), (6, 0.01)]
    place = next(tmp_path.glob('*/sweep-*'))
    outputs = list((place / 'tasks').glob('*_log.out'))
    assert len(outputs) == 2  # steps make two programs, rates none
    assert (place / 'report.html').exists()
    assert _sweep(tmp_path, '--list').stdout.count('finished') == 4


def test_a_task_that_dies_is_reported(tmp_path):
    """The interpreter of the tasks ends at once; the sweep says so and ends with 1."""
    run = _sweep(
        tmp_path, '--cluster', 'local', before="sys.executable = '/bin/false'; "
    )
    assert run.returncode == 1
    assert 'group 1' in run.stdout and 'Traceback' not in run.stderr
