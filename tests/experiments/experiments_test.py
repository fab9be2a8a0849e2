"""Every experiment: its docstring, its config, and `fast()` from data to report."""

import ast
import dataclasses
import importlib
import json
import pathlib
import pkgutil
import re

import pytest

import experiments
from experiments import __main__ as listing
from tests.experiments import few_numbers
from transfer_jax import cli, runs


def _experiments():
    """Modules under experiments that have `build` and `fast`."""
    modules = []
    for module in pkgutil.walk_packages(experiments.__path__, 'experiments.'):
        file = pathlib.Path(importlib.util.find_spec(module.name).origin)
        names = {
            node.name
            for node in ast.parse(file.read_text()).body
            if isinstance(node, ast.FunctionDef)
        }
        if {'build', 'fast'} <= names:
            modules.append(module.name)
    return modules


EXPERIMENTS = _experiments()


def test_every_experiment_is_listed():
    names = {name.rpartition('.')[2] for name in EXPERIMENTS}
    assert {'dann', 'adda', 'source_only', 'office_caltech'} <= names
    assert set(EXPERIMENTS) == set(listing.experiments())


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_a_docstring_has_the_published_number_and_the_command(name):
    module = importlib.import_module(name)
    lines = module.__doc__.strip().splitlines()
    assert lines[0].endswith('.') or lines[1].endswith('.')
    assert re.search(rf'^ *python -m {re.escape(name)}( |$)', module.__doc__, re.M)
    assert 'published' in module.__doc__.lower()  # the number to reach, or that none is


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_a_config_is_frozen_plain_values(name):
    config = importlib.import_module(name).fast()
    assert config.__dataclass_params__.frozen
    fields = dataclasses.asdict(config)
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
    assert json.loads(json.dumps(fields)) == lists
    assert config == type(config)(**fields)


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_building_loads_no_data(name):
    """The whole sweep is built without one data set on disk."""
    module = importlib.import_module(name)
    sweep = getattr(module, 'sweep', lambda: [])
    built = [module.build(config) for config in sweep()]
    assert not any(experiment.fast for experiment in built)
    # No two of a sweep would share a folder.
    assert len({cli.default_folder(experiment) for experiment in built}) == len(built)


# With all validators and diagnostics, which take longer to compile than the training.
EVERY_VALIDATOR = ('experiments.adaptation.digits', 'experiments.adaptation.adda')


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_the_fast_run_goes_from_data_to_report(name, tmp_path):
    module = importlib.import_module(name)
    experiment = module.build(module.fast())
    if not isinstance(experiment, runs.Study):
        experiment = experiment._replace(evaluations=2)
        if name not in EVERY_VALIDATOR:
            experiment = experiment._replace(measure=few_numbers.measure)
    assert experiment.fast
    assert name == f'experiments.{experiment.name}'
    result = cli.execute(experiment, tmp_path)
    assert json.loads((tmp_path / 'result.json').read_text()) == result
    assert result['fast']
    if isinstance(experiment, runs.Study):
        assert len(result['rows']) == len(experiment.trials)
        shown = [row[v] for row in result['rows'] for v in result['values'] if v in row]
        assert shown and all(0 <= value <= 1 for value in shown)
    else:
        assert 0 <= result['scores']['last']['target_test']['mean'] <= 1
    assert (tmp_path / 'report.html').stat().st_size > 1000
