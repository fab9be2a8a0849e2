"""Tables of shallow methods: recipes, trials, and the lines of a table."""

import numpy as np
import pytest

from experiments.shallow import (
    digits,
    office_caltech,
    pairs,
    published,
    recipes,
    trials,
)
from experiments.tables import command
from experiments.tables import shallow as tables
from transfer_jax import runs, selection


def fake(pair, seed):
    return pairs.load(pair, 'semi', seed)


def prepared():
    return trials.Prepared(fake, trials.Pipelines())


@pytest.mark.parametrize('name', recipes.RECIPES)
def test_every_setting_of_a_recipe_is_one_that_its_method_takes(name):
    recipe = recipes.RECIPES[name]
    for number in range(len(recipe.settings)):
        made = recipes.pipeline(name, 3, number)
        assert callable(made.fit)


def test_every_method_of_a_protocol_can_run_under_it():
    for protocol, methods in recipes.OFFICE.items():
        config = office_caltech.Config(protocol, 1, methods=methods, pairs=('C-A',))
        assert len(office_caltech.build(config).trials) == len(methods)
    assert not set(recipes.MORE) & set(recipes.OFFICE['full'])
    assert set(recipes.DIGITS) <= set(recipes.RECIPES)


def test_a_choice_reports_what_each_rule_picks_of_the_settings(monkeypatch):
    scores = {
        0: (0.1, 0.9, 0.2, 0.3),
        1: (0.2, 0.1, 0.8, 0.1),
        2: (0.9, 0.2, 0.1, 0.7),
    }

    def row(pipelines, pair, method, seed, number):
        target, source, fixed, circular = scores[number]
        return {
            'target_test': target,
            'source_validation': source,
            selection.FIXED: fixed,
            'circular_validation': circular,
            'target_test_images': 7,
            'setting': f'number {number}',
        }

    monkeypatch.setattr(trials, '_row', row)
    found = trials.choice(prepared(), {'method': 'pca', 'pair': 'fake', 'seed': 0})
    assert [found[rule] for rule in trials.CHOSEN] == [0.1, 0.1, 0.2, 0.9, 0.9]
    assert found['fixed_validator_setting'] == 'number 1'
    assert found['images'] == 7


def test_a_choice_runs_every_validator_on_every_setting():
    found = trials.choice(prepared(), {'method': 'gfk', 'pair': 'fake', 'seed': 0})
    assert set(trials.CHOSEN) < set(found)
    assert found['oracle'] >= max(found[rule] for rule in trials.CHOSEN)


@pytest.mark.parametrize(
    'name', [n for n, r in recipes.RECIPES.items() if r.classify == recipes.ITSELF]
)
def test_methods_that_classify_do_so_in_the_evaluation(name, monkeypatch):
    if name == 'da_nbnn':  # fewer rounds
        recipe = recipes.RECIPES[name]
        few = recipe._replace(settings=({'iterations': 1, 'rounds': 3},))
        monkeypatch.setitem(recipes.RECIPES, name, few)
    found = trials.accuracy(prepared(), {'method': name, 'pair': 'fake', 'seed': 1})
    assert found['images'] == 111 and found['accuracy'] > 0.5


def test_baselines_see_one_domain_alone():
    pair = fake('fake', 0)
    assert recipes.source_alone(pair).target_labelled is None
    target = recipes.target_alone(pair)
    np.testing.assert_array_equal(target.source.x, pair.target_labelled.x)
    assert target.target_labelled is None and len(target.in_fit) == 9


def result(experiment=office_caltech, measured=None, **config):
    study = experiment.build(experiment.Config(**config))
    rows = [
        {
            'trial': trial,
            'measured': measured or {'accuracy': 0.25 + 0.5 * trial['seed']},
        }
        for trial in study.trials
    ]
    return runs.study.summarize(study, rows)


def test_a_published_line_is_below_ours_and_has_its_mean():
    head, body = tables.grid(result(methods=('jda',)))
    assert head == ['method', *pairs.office_pairs(), 'mean']
    assert body[0] == ['jda', *['25.0'] * 13]
    line = next(p for p in published.OFFICE if p.method == 'jda')
    assert body[1][0] == f'*{line.source}*'
    assert body[1][1] == '*44.8*'
    assert body[1][-1] == f'*{np.mean(line.values):.1f}*'
    assert len(tables.grid(result(methods=('jda',), protocol='oc20'))[1]) == 1


def test_draws_have_a_deviation():
    _, body = tables.grid(result(methods=('dip',), protocol='oc20', draws=2))
    assert body[0][1] == '50.0 ± 35.4' and body[0][-1] == '50.0'


def test_a_table_with_a_choice_has_a_column_for_each_rule():
    measured = {rule: 0.1 * i for i, rule in enumerate(trials.CHOSEN)}
    found = result(measured=measured, methods=('pca', 'gfk'), choose=True)
    head, body = tables.grid(found)
    assert head[1:] == [rule.replace('_', ' ') for rule in trials.CHOSEN]
    assert body[1] == ['gfk', '0.0', '10.0', '20.0', '30.0', '40.0']
    assert 'oracle' in tables.legend(found)


def test_published_lines_have_a_value_for_each_pair_and_a_known_method():
    for experiment, lines in published.LINES.items():
        for line in lines:
            assert len(line.values) == len(published.PAIRS[experiment])
            assert line.method in recipes.RECIPES
            assert line.protocol in pairs.PROTOCOLS


def test_the_readme_gets_the_tables_with_their_commands():
    before = '<!-- table:office_caltech -->\nold\n<!-- /table -->'
    results = [
        {
            'experiment': 'transfer.probing',
            'config': {},
            'task': 'of another experiment',
        },
        result(methods=('tjm',), protocol='oc20', draws=2),
        result(digits, methods=('jda',)),
    ]
    after = command.rewrite(before, [], results)
    assert 'old' not in after and '| tjm |' in after and '| jda |' not in after
    assert '--config.protocol oc20 --config.draws 2 --config.methods tjm' in after
    assert 'No result files' in command.rewrite(before, [], [])
    one = before.replace('caltech', 'caltech.semi')
    assert 'No result files' in command.rewrite(one, [], results)
    assert '| tjm |' in command.rewrite(one.replace('semi', 'oc20'), [], results)


@pytest.mark.parametrize(
    ('experiment', 'fields', 'message'),
    [
        (office_caltech, {'pairs': ('C-C',)}, 'C-A'),
        (office_caltech, {'methods': ('nothing',)}, 'subspace_alignment'),
        (office_caltech, {'protocol': 'half'}, 'full, oc20'),
        (office_caltech, {'draws': 3}, 'draws nothing'),
        (office_caltech, {'methods': ('itml',)}, 'protocol semi'),
        (digits, {'protocol': 'semi'}, 'protocol full'),
    ],
)
def test_a_config_that_cannot_be_is_refused_at_the_start(experiment, fields, message):
    with pytest.raises(ValueError, match=message):
        experiment.build(experiment.Config(**fields))
