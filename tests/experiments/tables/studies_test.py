"""Tables of studies: their commands, their order, what is missing."""

import dataclasses

from experiments.tables import command, studies
from experiments.transfer import fine_tuning
from transfer_jax import runs


def result(**changes):
    config = fine_tuning.Config(**changes)
    page = fine_tuning.build(config)
    rows = [
        {'cell': cell, 'measured': {'accuracy': 0.1 * cell['seed']}}
        for cell in page.cells
    ]
    return runs.study.summarize(page, rows)


def test_a_command_says_what_differs_from_the_defaults():
    assert studies.command(result()) == ('python -m experiments.transfer.fine_tuning')
    found = studies.command(result(counts=(5, 7), size=64, arms=('svm', 'full')))
    assert found == (
        'python -m experiments.transfer.fine_tuning --config.size 64 '
        '--config.counts 5 7 --config.arms svm full'
    )


def test_every_page_of_the_table_is_there_and_has_defaults():
    import importlib

    for kind, names in studies.TABLES.items():
        for name in names:
            page = importlib.import_module(f'experiments.{name}')
            assert dataclasses.is_dataclass(page.Config())
            assert isinstance(page.build(page.Config()), runs.Study)
        assert len(studies.missing([], kind)) == len(names)
    there = {m['command'] for m in studies.missing([result()], 'transfer')}
    assert 'python -m experiments.transfer.fine_tuning' not in there


def test_a_page_is_rewritten_from_the_results():
    before = (
        'a\n<!-- table:transfer.fine_tuning -->\nold\n<!-- /table -->\nb\n'
        '<!-- table:transfer -->\nold\n<!-- /table -->'
    )
    after = command.rewrite(before, [], [result(counts=(5,), arms=('svm',))])
    assert 'old' not in after and after.count('10.0 ± 10.0') == 2
    assert after.count('#### ') == 1  # the heading stands in the whole table alone
    assert '--config.counts 5 --config.arms svm' in after
