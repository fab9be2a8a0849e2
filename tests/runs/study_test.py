"""A study: trials to rows, resume, tables."""

import dataclasses
import json
import os
import signal

import pytest

from transfer_jax import runs
from transfer_jax.reports import study_report, study_tables
from transfer_jax.runs import folder


@dataclasses.dataclass(frozen=True)
class Config:
    """Of the study below."""

    factor: float = 0.1


def make(measure=None, **changes):
    trials = tuple(
        {'method': method, 'n': n, 'seed': seed}
        for method in ('one', 'two_words')
        for n in (1, 5)
        for seed in (0, 1)
    )

    def accuracy(prepared, trial):
        return {'accuracy': prepared * (trial['n'] + trial['seed'])}

    return runs.Study(
        'tests.study',
        Config(),
        'blobs',
        trials,
        lambda data_dir: 0.1,
        measure or accuracy,
        across='n',
        **changes,
    )


def test_a_table_averages_over_seeds_and_has_a_column_for_each_n(tmp_path):
    result, _ = runs.run_study(make(), tmp_path)
    assert json.loads((tmp_path / 'result.json').read_text()) == result
    head, body = study_tables.grid(result)
    assert head == ['method', 'n 1', 'n 5']
    # 10 and 20 %: mean 15, std 7.07; 50 and 60 %: mean 55
    assert body == [
        ['one', '15.0 ± 7.1', '55.0 ± 7.1'],
        ['two words', '15.0 ± 7.1', '55.0 ± 7.1'],
    ]
    assert 'over 2 (seed differs)' in study_tables.text(result)
    assert study_tables.markdown(result).count('\n| ') == 4


def test_columns_say_how_many_draws_where_they_differ(tmp_path):
    whole = make()
    result, _ = runs.run_study(whole._replace(trials=whole.trials[:-1]), tmp_path)
    head, body = study_tables.grid(result)
    assert head[-1] == 'draws' and [row[-1] for row in body] == ['2', '1 or 2']


def test_a_stopped_study_goes_on_and_measures_nothing_twice(tmp_path):
    straight, _ = runs.run_study(make(), tmp_path / 'straight')
    measured = []

    def breaks(prepared, trial):
        measured.append(tuple(trial.values()))
        if len(measured) == 4:
            raise runs.Interrupted(15)
        return {'accuracy': prepared * (trial['n'] + trial['seed'])}

    with pytest.raises(runs.Interrupted):
        runs.run_study(make(breaks), tmp_path / 'broken')
    with open(tmp_path / 'broken' / 'history.jsonl', 'a') as file:
        file.write('{"trial": {"method"')  # cut short by a crash
    result, _ = runs.run_study(make(breaks), tmp_path / 'broken')
    assert result['rows'] == straight['rows']
    assert len(measured) == 9  # eight trials, and the one that broke once
    again, _ = runs.run_study(make(breaks), tmp_path / 'broken')
    assert again == result and len(measured) == 9


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_study_after_its_trial(tmp_path, number):
    measured = []

    def stops(prepared, trial):
        measured.append(tuple(trial.values()))
        if len(measured) == 3:
            os.kill(os.getpid(), number)
        return {'accuracy': prepared * (trial['n'] + trial['seed'])}

    with pytest.raises(runs.Interrupted) as stop:
        runs.run_study(make(stops), tmp_path)
    assert stop.value.number == number
    assert len(measured) == len(folder.Rows(tmp_path / 'history.jsonl').read()) == 3
    result, _ = runs.run_study(make(stops), tmp_path)
    assert len(measured) == len(result['rows']) == 8


def test_nothing_is_prepared_where_nothing_is_left(tmp_path):
    runs.run_study(make(), tmp_path)

    def refuses(data_dir):
        raise AssertionError

    runs.run_study(make()._replace(prepare=refuses), tmp_path)


def test_two_trials_that_are_alike_are_refused(tmp_path):
    whole = make()
    twice = whole._replace(trials=whole.trials + whole.trials[:1])
    with pytest.raises(ValueError, match='alike.*"one"'):
        runs.run_study(twice, tmp_path)


def test_a_folder_of_another_config_is_refused(tmp_path):
    runs.run_study(make(), tmp_path)
    other = make()._replace(config=Config(0.2))
    with pytest.raises(folder.FolderError, match='factor'):
        runs.run_study(other, tmp_path)


def test_the_report_has_table_figures_and_config(tmp_path):
    from matplotlib.figure import Figure

    drawn = make(
        figures=lambda rows: {'curve': Figure(figsize=(1, 1))},
        pictures=lambda prepared: {'picture': Figure(figsize=(1, 1))},
        fast=True,
    )
    result, prepared = runs.run_study(drawn, tmp_path)
    text = study_report.write(drawn, tmp_path, result, prepared).read_text()
    for expected in ('two words', '15.0 ± 7.1', 'factor', 'numbers mean nothing'):
        assert expected in text
    assert {p.name for p in (tmp_path / 'figures').iterdir()} == {
        'curve.png',
        'picture.png',
    }
