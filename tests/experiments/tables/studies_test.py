"""Tables of studies: their commands, their order, and what is missing."""

import dataclasses
import importlib

from experiments.tables import command, studies
from experiments.transfer import fine_tuning
from transfer_jax import runs


def result(**changes):
    config = fine_tuning.Config(**changes)
    study = fine_tuning.build(config)
    rows = [
        {'trial': trial, 'measured': {'accuracy': 0.1 * trial['seed']}}
        for trial in study.trials
    ]
    return runs.study.summarize(study, rows)


def test_a_command_has_the_flags_that_differ_from_the_defaults():
    assert studies.command(result()) == ('python -m experiments.transfer.fine_tuning')
    changed = studies.command(result(counts=(5, 7), size=64, methods=('svm', 'full')))
    assert changed == (
        'python -m experiments.transfer.fine_tuning --config.size 64 '
        '--config.counts 5 7 --config.methods svm full'
    )
    whole = {'experiment': 'localization.fruit', 'config': {'cut': '', 'steps': 3}}
    assert studies.command(whole).endswith("fruit --config.steps 3 --config.cut ''")


def test_every_experiment_of_a_table_is_there_and_has_defaults():
    for kind, names in studies.TABLES.items():
        for name in names:
            experiment = importlib.import_module(f'experiments.{name}')
            assert dataclasses.is_dataclass(experiment.Config())
            assert isinstance(experiment.build(experiment.Config()), runs.Study)
        assert len(studies.missing([], kind)) == len(names)
    missing = {m['command'] for m in studies.missing([result()], 'transfer')}
    assert 'python -m experiments.transfer.fine_tuning' not in missing


def test_a_page_is_rewritten_from_the_results():
    before = (
        'a\n<!-- table:transfer.fine_tuning -->\nold\n<!-- /table -->\nb\n'
        '<!-- table:transfer -->\nold\n<!-- /table -->'
    )
    after = command.rewrite(before, [], [result(counts=(5,), methods=('svm',))])
    assert 'old' not in after and after.count('10.0 ± 10.0') == 2
    assert after.count('#### ') == 1  # the heading stands in the whole table alone
    assert '--config.counts 5 --config.methods svm' in after
