"""A sweep as tasks of a cluster: submitit's local executor, a process a group."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import submitit

from transfer_jax.cli import sweep

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).parents[2]
FLAGS = (
    *('experiments.adaptation.dann', '--fast'),
    *('--grid', 'config.rate=0.01,0.003', '--grid', 'config.steps=4,6'),
)
CODE = 'import sys; from transfer_jax.cli import sweep; {}sweep.main(sys.argv[1:])'


def _youngest(pid):
    """The process at the end of a chain of processes that each started one."""
    children = pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return _youngest(int(children[0])) if children else pid


def _sweep(run_root, *flags, before=''):
    return subprocess.run(
        [sys.executable, '-c', CODE.format(before), *FLAGS, *flags]
        + ['--run-root', str(run_root)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )


def test_every_group_is_a_task(tmp_path):
    options = ('--cluster-options', 'timeout_min=10', 'slurm_max_num_timeout=9')
    run = _sweep(tmp_path, '--cluster', 'local', *options)
    assert run.returncode == 0, run.stdout + run.stderr
    results = [json.loads(p.read_text()) for p in tmp_path.glob('*/*/result.json')]
    seen = sorted((r['config']['steps'], r['config']['rate']) for r in results)
    assert seen == [(4, 0.003), (4, 0.01), (6, 0.003), (6, 0.01)]
    sweep_dir = next(tmp_path.glob('*/sweep-*'))
    outputs = list((sweep_dir / 'tasks').glob('*_log.out'))
    assert len(outputs) == 2  # steps make two programs, rates none
    assert (sweep_dir / 'report.html').exists()
    assert 'group 1 finished: ' in run.stderr and '2 of 2' in run.stderr
    assert _sweep(tmp_path, '--list').stdout.count('finished') == 4
    again = _sweep(tmp_path, '--cluster', 'local', *options)
    assert again.returncode == 0 and 'submitted' not in again.stderr


def test_a_task_that_the_cluster_stops_goes_on(tmp_path):
    """At the signal that SLURM sends before it ends a job, the task is queued again."""
    command = sweep.Command(
        'experiments.adaptation.dann',
        grid=('config.steps=400', 'config.seeds=1'),
        fast=True,
        run_root=tmp_path / 'runs',
    )
    executor = submitit.AutoExecutor(tmp_path / 'tasks', cluster='local')
    executor.update_parameters(timeout_min=10)
    job = executor.submit(sweep.Task(), command, 0)
    while not list(tmp_path.glob('runs/*/*/checkpoints/seed_0/*/[1-9]*')):
        assert not job.done(), job.stderr()
        time.sleep(0.2)
    os.kill(_youngest(int(job.job_id)), signal.SIGUSR2)
    assert job.result() == {}
    assert f'Requeued job {job.job_id}' in job.stderr()
    (run_dir,) = tmp_path.glob('runs/*/*')
    assert json.loads((run_dir / 'result.json').read_text())['seeds'] == [0]
    rows = [
        json.loads(row) for row in (run_dir / 'history.jsonl').read_text().splitlines()
    ]
    seen = [(row['seed'], row['step']) for row in rows]
    assert len(set(seen)) == len(seen)  # nothing was done twice


def test_a_task_that_dies_is_reported(tmp_path):
    """The interpreter of the tasks ends at once; the sweep says so and ends with 1."""
    run = _sweep(
        tmp_path, '--cluster', 'local', before="sys.executable = '/bin/false'; "
    )
    assert run.returncode == 1
    assert 'group 1' in run.stdout and 'Traceback' not in run.stderr
