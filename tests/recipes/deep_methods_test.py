"""The list of the deep methods, and what reads it: experiments, tables, docs."""

import json
import pathlib

import jax.numpy as jnp
import pytest

from experiments.adaptation import digits
from transfer_jax import methods, recipes, runs
from transfer_jax.recipes import networks
from transfer_jax.training import optim

ROOT = pathlib.Path(__file__).parents[2]
TUNED = {name: recipe for name, recipe in recipes.RECIPES.items() if recipe.tried}


@pytest.mark.parametrize('name', TUNED)
def test_a_weight_is_the_one_that_the_validator_chose(name):
    scores = json.loads((ROOT / 'results' / 'digits_tuning.json').read_text())[name]
    tried = {weight: scores[str(weight)] for weight in TUNED[name].tried}
    assert recipes.RECIPES[name].weight == max(tried, key=tried.get)


def test_every_file_of_an_adaptation_method_has_a_recipe():
    files = (ROOT / 'transfer_jax' / 'methods' / 'adaptation').glob('*.py')
    written = {file.stem for file in files} & set(methods.__all__)
    listed = {recipe.method.__name__ for recipe in recipes.RECIPES.values()}
    assert written == listed - {'supervised'}


def test_the_docs_have_every_method_but_two_baselines():
    page = (ROOT / 'docs' / 'methods.md').read_text()
    for name, recipe in recipes.RECIPES.items():
        line = f'| {recipe.title} | {recipe.paper} | {recipe.objective} | '
        assert (line in page) == (name not in ('train_on_target', 'source_norm'))


def test_no_recipe_reverses_gradients_at_full_strength_from_the_start():
    reversing = [r for r in recipes.RECIPES.values() if r.weight_name == 'strength']
    assert len(reversing) >= 4
    for recipe in reversing:
        assert recipe.schedule(None, 100)(0) < 1


def test_an_optimiser_given_by_name_comes_before_the_recipes_and_that_before_the_rest():
    """ADDA prescribes its own; DANN none."""
    nets = networks.build('lenet', 10)
    mine, rest = optim.sgd(optim.constant(0.1)), optim.sgd(optim.constant(0.2))
    seen = []

    def record(*modules, txs, **arguments):
        seen.append((modules, txs, arguments))

    adda = recipes.get('adda')._replace(method=record)
    dann = recipes.get('dann')._replace(method=record)
    weight = optim.constant(0.3)
    adda.make(nets, rest, weight)
    adda.make(nets, {'encoder': mine, '': rest}, weight)
    dann.make(nets, {'encoder': mine, '': rest}, weight)
    modules, txs, arguments = seen[0]
    assert modules == (nets.encoder, nets.classifier, nets.discriminator)
    assert txs == adda.optimisers and arguments == {}
    assert seen[1][1] == {**adda.optimisers, 'encoder': mine}
    given = {'encoder': mine, 'classifier': rest, 'discriminator': rest}
    assert seen[2][1:] == (given, {'strength': weight})


def test_a_weight_rises_as_ganins_strength_or_is_constant():
    """2 / (1 + exp(-10 p)) - 1 at p = 1 / 2 is tanh(2.5)."""
    half = jnp.asarray(50)
    rising, constant = recipes.get('dann'), recipes.get('mcd')
    assert rising.schedule(None, 100)(half) == pytest.approx(0.03 * 0.98661430)
    assert rising.schedule(2.0, 100)(half) == pytest.approx(2 * 0.98661430)
    assert constant.schedule(None, 100)(half) == 3.0


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
        assert built.measure.func is runs.measure_adaptation
        validate_as = built.measure.keywords['validate_as']
        assert validate_as == ('target' if recipe.start else 'source')
