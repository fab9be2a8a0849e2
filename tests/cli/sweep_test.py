"""`python -m experiments`, and the sweep over a page."""

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
from transfer_jax import runs
from transfer_jax.cli import launch, sweep
from transfer_jax.runs import folder

ROOT = pathlib.Path(__file__).parents[2]


def test_every_page_is_listed_with_its_first_line(capsys):
    listing.main()
    lines = dict(
        line.removeprefix('python -m ').split(maxsplit=1)
        for line in capsys.readouterr().out.splitlines()
    )
    for file in (ROOT / 'experiments').rglob('*.py'):
        text = file.read_text()
        module = '.'.join(file.relative_to(ROOT).with_suffix('').parts)
        is_page = '\ndef build(' in text and '\nclass Config' in text
        assert (module in lines) == is_page
        if is_page:
            first = ast.get_docstring(ast.parse(text)).splitlines()[0]
            assert lines[module] == first


def test_listing_imports_no_page_and_nothing_heavy():
    code = (
        'import sys; from experiments import __main__ as m; m.main(); '
        'heavy = {"jax", "numpy", "transfer_jax.cli", "tyro"} & set(sys.modules); '
        'assert not heavy, heavy'
    )
    began = time.process_time()
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)
    assert time.process_time() - began < 3


@dataclasses.dataclass(frozen=True)
class Config:
    """Of a run of the page."""

    rate: float


@pytest.fixture
def page(monkeypatch, tiny):
    """A page with four runs; the second fails. `page.ran` are those that began."""
    rates = (0.1, 0.2, 0.3, 0.4)
    ran = []

    def execute(experiment, place, data_dir):
        ran.append(experiment.config.rate)
        if experiment.config.rate == page.fails:
            raise page.error
        place.mkdir(parents=True, exist_ok=True)
        column = {'mean': experiment.config.rate, 'std': None, 'steps': [6]}
        content = {
            'experiment': experiment.name,
            'arm': experiment.arm,
            'task': experiment.task,
            'config': {'rate': experiment.config.rate},
            'fast': False,
            'seeds': [0],
            'target_test_images': 8,
            'target_accuracy': {'last': column},
            'fixed_validator': 'information_maximization',
        }
        (place / 'result.json').write_text(json.dumps(content))
        return content

    page = types.SimpleNamespace(
        sweep=lambda: [Config(rate) for rate in rates],
        build=lambda config: tiny()._replace(config=config),
        ran=ran,
        fails=0.2,
        error=OSError('no room\nat all'),
    )
    monkeypatch.setattr(launch, 'execute', execute)
    monkeypatch.setattr(sweep, 'load', lambda name, known=(): page)
    return page


def call(tmp_path, *flags):
    """Exit code of the sweep over the page."""
    try:
        sweep.main(['page', '--run-root', str(tmp_path), *flags])
    except SystemExit as stop:
        return stop.code
    return 0


def test_one_failing_run_does_not_end_the_others(page, tmp_path, capsys):
    assert call(tmp_path) == 1
    assert page.ran == [0.1, 0.2, 0.3, 0.4]
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if 'no room' in line][0].startswith(
        'failed: '
    )
    for done in ('10.0', '30.0', '40.0'):  # the table of what there is
        assert done in out


def test_finished_runs_are_skipped(page, tmp_path):
    call(tmp_path)
    page.ran.clear()
    page.fails = None
    assert call(tmp_path) == 0
    assert page.ran == [0.2]


def test_a_list_runs_nothing(page, tmp_path, capsys):
    call(tmp_path)
    page.ran.clear()
    capsys.readouterr()
    assert call(tmp_path, '--list') == 0
    assert page.ran == []
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert words == ['finished', 'to', 'finished', 'finished']


def test_a_stop_from_outside_ends_the_sweep(page, tmp_path):
    page.error = runs.Interrupted(15)
    assert call(tmp_path) == 128 + 15
    assert page.ran == [0.1, 0.2]


def test_debug_shows_the_error_itself(page, tmp_path):
    with pytest.raises(OSError, match='no room'):
        call(tmp_path, '--debug')


def test_two_sweeps_on_one_folder_are_refused(page, tmp_path, capsys):
    command = sweep.Command('page', run_root=tmp_path)
    plan = sweep.groups(page, command)
    with folder.locked(sweep.folder_of(plan, tmp_path), 'sweep folder', ''):
        assert call(tmp_path) == 2
    assert page.ran == []
    assert 'is in use by another process' in capsys.readouterr().err
    assert call(tmp_path) == 1  # the second run fails, as ever


def test_a_grid_takes_the_place_of_the_sweep(page, tmp_path, capsys):
    page.Config = lambda: Config(0.7)
    assert call(tmp_path, '--grid', 'config.rate=0.5,0.6') == 0
    assert page.ran == [0.5, 0.6]
    report = next(tmp_path.glob('tests.tiny/sweep-*/table.csv'))
    assert len(report.read_text().splitlines()) == 3
    capsys.readouterr()
    assert call(tmp_path, '--grid', 'config.speed=1') == 2
    assert "error: no field 'speed'; there are: rate" in capsys.readouterr().err


def test_groups_are_tasks_of_a_cluster(page, tmp_path):
    """In this process (submitit's debugging executor)."""
    assert call(tmp_path, '--cluster', 'debug') == 1
    assert page.ran == [0.1, 0.2, 0.3, 0.4]
    page.ran.clear()
    assert call(tmp_path, '--cluster', 'debug') == 1  # finished ones are not run again
    assert page.ran == [0.2]


def test_a_cluster_there_is_not_is_named(page, tmp_path, capsys):
    assert call(tmp_path, '--cluster', 'cloud') == 2
    assert "no cluster 'cloud'; choose from slurm, local" in capsys.readouterr().err
    assert call(tmp_path, '--cluster', 'debug', '--cluster-options', 'nodes') == 2
    assert 'write NAME=VALUE' in capsys.readouterr().err


def test_a_sweep_of_no_page_lists_the_pages(capsys):
    with pytest.raises(SystemExit) as stop:
        sweep.main(['experiments.tasks.digit_pairs'], [*listing.pages()])
    assert stop.value.code == 2
    assert 'experiments.adaptation.dann' in capsys.readouterr().err
    with pytest.raises(ValueError, match="no module 'experiments.nonesuch'"):
        sweep.load('experiments.nonesuch')


def test_a_page_without_a_sweep_says_so():
    with pytest.raises(ValueError, match='has no sweep'):
        sweep.load('experiments.demo')


def test_a_sweep_finds_its_page():
    found = sweep.load('experiments.adaptation.dann')
    assert list(found.sweep())
