"""`python -m experiments`, and the sweep of an experiment."""

import ast
import dataclasses
import json
import pathlib
import subprocess
import sys
import time
import types

import pytest

from experiments import __main__ as listing
from transfer_jax import runs, selection
from transfer_jax.cli import launch, sweep
from transfer_jax.runs import folder

ROOT = pathlib.Path(__file__).parents[2]


def test_every_experiment_is_listed_with_its_first_line(capsys):
    listing.main([])
    lines = dict(
        line.removeprefix('python -m ').split(maxsplit=1)
        for line in capsys.readouterr().out.splitlines()
    )
    for file in (ROOT / 'experiments').rglob('*.py'):
        text = file.read_text()
        module = '.'.join(file.relative_to(ROOT).with_suffix('').parts)
        is_experiment = '\ndef build(' in text and '\nclass Config' in text
        assert (module in lines) == is_experiment
        if is_experiment:
            first = ast.get_docstring(ast.parse(text)).splitlines()[0]
            assert lines[module] == first


def test_listing_imports_no_experiment_and_nothing_heavy():
    code = (
        'import sys; from experiments import __main__ as m; m.main([]); '
        'heavy = {"jax", "numpy", "transfer_jax.cli", "tyro"} & set(sys.modules); '
        'assert not heavy, heavy'
    )
    began = time.process_time()
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)
    assert time.process_time() - began < 3


@dataclasses.dataclass(frozen=True)
class Config:
    """Of a run of the experiment."""

    rate: float


@pytest.fixture
def module(monkeypatch, tiny):
    """An experiment with a sweep of four runs; the second fails.

    `module.ran` has the rates of the runs that began, `module.together` how many of its
    seeds each trained at the same time.
    """
    rates = (0.1, 0.2, 0.3, 0.4)
    ran, together = [], []

    def execute(experiment, run_dir, data_dir, *, seeds_together):
        rate = experiment.config.rate
        ran.append(rate)
        together.append(seeds_together)
        if rate == module.fails:
            raise module.error
        run_dir.mkdir(parents=True, exist_ok=True)
        column = {'mean': rate, 'std': None, 'values': [rate]}
        number = experiment.numbers['target_test']
        content = {
            'format': runs.folder.FORMAT,
            'experiment': experiment.name,
            'method': experiment.method,
            'task': experiment.task,
            'config': {'rate': rate},
            'fast': False,
            'seeds': [0],
            'examples': 8,
            'numbers': {'target_test': number._asdict()},
            'rules': {'last': selection.LAST._asdict()},
            'steps': {'last': [6]},
            'scores': {'last': {'target_test': column}},
            'validators': {},
        }
        (run_dir / 'result.json').write_text(json.dumps(content))
        return content

    module = types.SimpleNamespace(
        sweep=lambda: [Config(rate) for rate in rates],
        build=lambda config: tiny()._replace(config=config),
        ran=ran,
        together=together,
        fails=0.2,
        error=OSError('no room\nat all'),
    )
    monkeypatch.setattr(launch, 'execute', execute)
    monkeypatch.setattr(sweep, 'load', lambda name, known=(): module)
    return module


def call(tmp_path, *flags):
    """Exit code of the sweep."""
    try:
        sweep.main(['module', '--run-root', str(tmp_path), *flags])
    except SystemExit as stop:
        return stop.code
    return 0


def test_seeds_of_a_run_train_as_the_sweep_says(module, tmp_path):
    call(tmp_path)
    call(tmp_path / 'one', '--together', '1')
    assert module.together == [None] * 4 + [1] * 4


def test_one_failing_run_does_not_end_the_others(module, tmp_path, capsys):
    assert call(tmp_path) == 1
    assert module.ran == [0.1, 0.2, 0.3, 0.4]
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if 'no room' in line][0].startswith(
        'failed: '
    )
    for done in ('10.0', '30.0', '40.0'):  # the table of what there is
        assert done in out


def test_finished_runs_are_skipped(module, tmp_path):
    call(tmp_path)
    module.ran.clear()
    module.fails = None
    assert call(tmp_path) == 0
    assert module.ran == [0.2]


def test_a_list_runs_nothing(module, tmp_path, capsys):
    call(tmp_path)
    module.ran.clear()
    capsys.readouterr()
    assert call(tmp_path, '--list') == 0
    assert module.ran == []
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert words == ['finished', 'to', 'finished', 'finished']


def test_a_stop_from_outside_ends_the_sweep(module, tmp_path):
    module.error = runs.Interrupted(15)
    assert call(tmp_path) == 128 + 15
    assert module.ran == [0.1, 0.2]


def test_debug_shows_the_error_itself(module, tmp_path):
    with pytest.raises(OSError, match='no room'):
        call(tmp_path, '--debug')


def test_two_sweeps_on_one_folder_are_refused(module, tmp_path, capsys):
    command = sweep.Command('module', run_root=tmp_path)
    plan = sweep.groups(module, command)
    with folder.locked(sweep.folder_of(plan, tmp_path), 'sweep folder', ''):
        assert call(tmp_path) == 2
    assert module.ran == []
    assert 'is in use by another process' in capsys.readouterr().err
    assert call(tmp_path) == 1  # the second run fails, as ever


def test_a_grid_takes_the_place_of_the_sweep(module, tmp_path, capsys):
    module.Config = lambda: Config(0.7)
    assert call(tmp_path, '--grid', 'config.rate=0.5,0.6') == 0
    assert module.ran == [0.5, 0.6]
    report = next(tmp_path.glob('tests.tiny/sweep-*/table.csv'))
    assert len(report.read_text().splitlines()) == 3
    capsys.readouterr()
    assert call(tmp_path, '--grid', 'config.speed=1') == 2
    assert "error: no field 'speed'; there are: rate" in capsys.readouterr().err


def test_a_sweep_can_be_limited_and_says_what_it_leaves_out(module, tmp_path, capsys):
    module.left_out = lambda: ['rate 0.9, which is not known yet']
    assert call(tmp_path, '--only', 'rate=0.4,0.1') == 0
    assert module.ran == [0.1, 0.4]
    assert 'left out: rate 0.9, which is not known yet' in capsys.readouterr().out
    assert call(tmp_path, '--only', 'rate=5') == 2
    assert 'there are: 0.1, 0.2, 0.3, 0.4' in capsys.readouterr().err


def test_groups_are_tasks_of_a_cluster(module, tmp_path):
    """In this process (submitit's debugging executor)."""
    assert call(tmp_path, '--cluster', 'debug') == 1
    assert module.ran == [0.1, 0.2, 0.3, 0.4]
    module.ran.clear()
    assert call(tmp_path, '--cluster', 'debug') == 1  # finished ones are not run again
    assert module.ran == [0.2]


def test_an_unknown_cluster_is_named(module, tmp_path, capsys):
    assert call(tmp_path, '--cluster', 'cloud') == 2
    assert "no cluster 'cloud'; choose from slurm, local" in capsys.readouterr().err
    assert call(tmp_path, '--cluster', 'debug', '--cluster-options', 'nodes') == 2
    assert 'write NAME=VALUE' in capsys.readouterr().err


def test_a_flag_that_the_sweep_cannot_follow_is_refused(module, tmp_path, capsys):
    assert call(tmp_path, '--how', 'foo') == 2
    assert "no --how 'foo'; choose from vmap" in capsys.readouterr().err
    assert call(tmp_path, '--precision', 'tf32') == 2
    assert "no --precision 'tf32'; choose from highest" in capsys.readouterr().err
    assert call(tmp_path, '--fast') == 2
    assert 'has no fast()' in capsys.readouterr().err


def test_a_sweep_of_no_experiment_lists_the_experiments(capsys):
    with pytest.raises(SystemExit) as stop:
        sweep.main(['experiments.tasks.digit_pairs'], [*listing.experiments()])
    assert stop.value.code == 2
    assert 'experiments.adaptation.dann' in capsys.readouterr().err
    with pytest.raises(ValueError, match="no module 'experiments.nonesuch'"):
        sweep.load('experiments.nonesuch')


def test_an_experiment_without_a_sweep_is_refused():
    with pytest.raises(ValueError, match='has no sweep'):
        sweep.load('experiments.demo')


def test_a_sweep_finds_its_experiment():
    module = sweep.load('experiments.adaptation.dann')
    assert list(module.sweep())
