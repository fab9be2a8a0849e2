"""The recipes of the digits page, its tables and its page of methods."""

import json
import pathlib

import pytest

from experiments.adaptation import digits
from experiments.tables import methods
from transfer_jax import recipes
from transfer_jax.recipes import networks
from transfer_jax.reports import selection_cost

ROOT = pathlib.Path(__file__).parents[2]
TUNED = {name: recipe for name, recipe in recipes.RECIPES.items() if recipe.tried}


@pytest.mark.parametrize('name', TUNED)
def test_a_weight_is_the_one_that_the_validator_chose(name):
    """And not one that somebody liked better."""
    scores = json.loads((ROOT / 'results' / 'digits_tuning.json').read_text())[name]
    tried = {weight: scores[str(weight)] for weight in TUNED[name].tried}
    assert recipes.RECIPES[name].weight == max(tried, key=tried.get)


def test_the_page_of_methods_has_every_method():
    baselines = {'train_on_target', 'source_norm'}
    assert set(methods.ABOUT) == set(recipes.RECIPES) - baselines
    page = (ROOT / 'docs' / 'methods.md').read_text()
    for about in methods.ABOUT.values():
        assert about.minimises in page


@pytest.mark.parametrize(
    'field, choices',
    [
        ('method', recipes.RECIPES),
        ('norm', networks.NORMS),
        ('network', networks.NETWORKS),
        ('protocol', ('full', 'adda', 'skada')),
        ('pair', ('mnist_to_usps',)),
    ],
)
def test_a_wrong_name_is_refused_with_the_choices(field, choices):
    with pytest.raises(ValueError, match="'nonesuch'; choose from") as error:
        digits.build(digits.Config(**{field: 'nonesuch'}))
    assert all(choice in str(error.value) for choice in choices)


def test_two_stages_judge_the_target_network_on_the_source():
    for name, recipe in recipes.RECIPES.items():
        built = digits.build(digits.Config(method=name))
        assert len(built.stages) == (2 if recipe.start else 1)
        assert built.validate_as == ('target' if recipe.start else 'source')


def test_regret_is_what_the_oracle_would_have_had():
    def column(*values):
        return {'values': list(values), 'mean': sum(values) / len(values)}

    result = {
        'arm': 'mcc',
        'task': 'a_to_b, adda',
        'seeds': [0, 1],
        'target_accuracy': {'last': column(0.5, 0.7), 'oracle': column(0.8, 0.9)},
        'validators': {'snd': column(0.1, 0.1), 'bnm': column(0.8, 0.8)},
    }
    (row,) = selection_cost.rows([result])
    assert row['regret'] == pytest.approx({'last': 25, 'snd': 75, 'bnm': 5})
    lines = selection_cost.table([result]).splitlines()
    assert lines[0].split('  ')[-1].strip() == 'mcc, a_to_b, adda (n 2)'
    assert [line.split()[-1] for line in lines[2:6]] == ['85.0', '25.0', '75.0', '5.0']
    assert selection_cost.table([]) == 'No result files yet.'
