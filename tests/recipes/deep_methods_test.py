"""The list of the deep methods, and what reads it: experiments, tables, docs."""

import dataclasses
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.adaptation import digits, photos
from transfer_jax import methods, recipes, runs
from transfer_jax.recipes import networks
from transfer_jax.training import optim

ROOT = pathlib.Path(__file__).parents[2]


def test_every_weight_says_where_it_was_published():
    """0 would be a method without a weight, whose stream has no target images."""
    for name, recipe in recipes.RECIPES.items():
        weighted = bool(recipe.weight_name)
        assert (bool(recipe.weight_source), recipe.weight > 0) == (weighted,) * 2, name


@pytest.mark.parametrize(
    'experiment, method, weight',
    [(digits, 'dann', 1.0), (digits, 'dan', 5.0), (photos, 'deep_coral', 0.8)],
)
def test_a_result_states_the_weight_that_was_in_effect(experiment, method, weight):
    config = dataclasses.replace(experiment.fast(), method=method)
    assert config.weight is None
    assert experiment.build(config).config.weight == weight
    given = dataclasses.replace(config, weight=0.25)
    assert experiment.build(given).config.weight == 0.25
    without = dataclasses.replace(config, method='source_only')
    assert experiment.build(without).config.weight is None


def test_every_file_of_an_adaptation_method_has_a_recipe():
    files = (ROOT / 'transfer_jax' / 'methods' / 'adaptation').glob('*.py')
    written = {file.stem for file in files} & set(methods.__all__)
    listed = {recipe.method.__name__ for recipe in recipes.RECIPES.values()}
    assert written == listed - {'supervised'}


def test_the_docs_have_every_method_but_two_baselines():
    page = (ROOT / 'docs' / 'methods.md').read_text()
    for name, recipe in recipes.RECIPES.items():
        line = f'| {recipe.title} | {recipe.paper} | {recipe.objective} | '
        line += f'{recipe.weight:g}' if recipe.weight_name else ''
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
    assert rising.schedule(None, 100)(half) == pytest.approx(0.98661430)
    assert rising.schedule(2.0, 100)(half) == pytest.approx(2 * 0.98661430)
    assert constant.schedule(None, 100)(half) == 1.0


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


def test_the_batch_is_the_methods_unless_one_is_given():
    """The config of the experiment, which a result holds, has the numbers in use."""

    def batch(method, **fields):
        experiment = digits.build(
            digits.Config(method, 'digits_to_digits_m', protocol='full', **fields)
        )
        data = experiment.data(0, None)
        label = experiment.stages[0].stream(data, None)[0]['source']['label']
        held = np.bincount(label, minlength=10)
        config = experiment.config
        assert config.batch == len(label)
        assert config.balanced == (held.max() - held.min() <= 1)
        return config.batch, config.balanced

    assert batch('dann') == (32, False)
    assert batch('deep_jdot') == (500, True)
    assert batch('deep_jdot', batch=40, balanced=False) == (40, False)
    assert batch('dann', balanced=True) == (32, True)


def test_two_stages_judge_the_target_network_on_the_source():
    """DSBN has one network, and the source's images have the source's statistics."""
    for name, recipe in recipes.RECIPES.items():
        built = digits.build(digits.Config(method=name))
        assert len(built.stages) == (2 if recipe.start else 1)
        assert built.measure.func is runs.measure_adaptation
        validate_as = built.measure.keywords['validate_as']
        assert validate_as == (
            'target' if recipe.start and name != 'dsbn' else 'source'
        )
        names = [stage.name for stage in built.stages]
        first = [] if recipe.start is None else ['source']
        assert names == (['dann'] if name == 'dsbn' else first) + ['train']


def test_what_rises_during_a_stage_needs_its_steps():
    nets = networks.build('lenet', 10, 'dsbn')
    recipe = recipes.get('dsbn')
    arguments = nets, optim.adam(optim.constant(1e-3)), optim.constant(1.0)
    with pytest.raises(ValueError, match="'mixing' rises during its stage; give"):
        recipe.make(*arguments)
    seen = {}
    spied = recipe._replace(method=lambda *nets, txs, **rest: seen.update(rest))
    spied.make(*arguments, steps=100)
    assert seen['mixing'](0) == 0  # 2 / (1 + exp(-5)) - 1 = tanh 2.5 at the half
    assert seen['mixing'](50) == pytest.approx(0.98661430)
