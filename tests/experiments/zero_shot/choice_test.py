"""The choice of constants: inside the seen classes, beyond the edges of a grid."""

import jax
import numpy as np
import pytest

from experiments.zero_shot import choice, cub, recipes
from transfer_jax import metrics, zero_shot
from transfer_jax.data import zero_shot as data_zero_shot


@pytest.fixture(scope='module')
def read():
    return data_zero_shot.fake(classes=12, per_class=10)


def _eszsl(**grid):
    def path(gamma, lam):
        return zero_shot.pipeline(zero_shot.eszsl_path(gamma, lam))

    return choice.Recipe(zero_shot.eszsl, grid, path=path)


def test_vectors_are_prepared_by_the_seen_classes_alone():
    seen = np.array([[1.0, 4.0], [9.0, 0.0]])
    np.testing.assert_allclose(
        choice.prepare('unit', seen, np.array([[3.0, 4.0]])), [[0.6, 0.8]]
    )
    # minus the mean (5, 2) is (-2, 2)
    np.testing.assert_allclose(
        choice.prepare('centred', seen, np.array([[3.0, 4.0]])),
        [[-(0.5**0.5), 0.5**0.5]],
    )
    # roots (4, 1), minus the mean (2, 1) of the roots (1, 2), (3, 0), is (2, 0)
    np.testing.assert_allclose(
        choice.prepare('root', seen, np.array([[16.0, 1.0]])), [[1, 0]]
    )


def test_a_grid_goes_on_where_its_edge_is_best():
    grid = {'a': [1.0, 10.0], 'b': [5.0]}
    assert choice._widen(grid, [{'a': 10.0, 'b': 5.0}], {})
    assert grid == {'a': [1.0, 10.0, 100.0], 'b': [5.0]}
    assert choice._widen(grid, [{'a': 1.0, 'b': 5.0}], {'a': (0.5, np.inf)})
    assert grid['a'] == [0.5, 1.0, 10.0, 100.0]
    assert not choice._widen(grid, [{'a': 0.5, 'b': 5.0}], {'a': (0.5, np.inf)})
    assert not choice._widen(grid, [{'a': 10.0, 'b': 5.0}], {})


def test_the_choice_is_the_best_by_validation_and_agrees_with_one_fit(read):
    data, vectors = read
    training = data.training()
    of_seen = vectors.of(training.classes)
    draws = choice.draws_of(training, 3, 2)
    recipe = _eszsl(gamma=(0.1, 10.0), lam=(0.1, 1.0))
    chosen = choice.choose(recipe, training, of_seen, draws)
    assert chosen.zsl.zsl == max(score.zsl for score in chosen.scores)
    best = max(score.harmonic.max() for score in chosen.scores)
    assert chosen.harmonic.harmonic.max() == best
    # By hand, with the method itself and the metrics
    values = []
    for draw in draws:
        x = np.asarray(zero_shot.unit_rows(np.float64(training.x)))
        ready = choice.prepare('unit', of_seen[draw.seen], of_seen)
        method = zero_shot.pipeline(
            zero_shot.eszsl(**chosen.harmonic.setting.constants)
        )
        label = np.searchsorted(draw.seen, training.label[draw.train])
        fitted = method.fit(jax.random.key(0), x[draw.train], label, ready[draw.seen])
        some = draw.train[:: choice.EVERY]
        unit = metrics.score_deviation(method.scores(fitted, x[some], ready[draw.seen]))
        rows = np.concatenate([draw.test_seen, draw.test_unseen])
        scores = method.scores(fitted, x[rows], ready)
        seen = np.isin(np.arange(len(ready)), draw.seen)
        values.append(
            metrics.generalised(
                scores, training.label[rows], seen, chosen.gamma * unit
            ).harmonic
        )
    np.testing.assert_allclose(np.mean(values), best, atol=1e-9)


def test_labels_of_unseen_rows_change_no_parameter_constant_or_calibration(read):
    data, vectors = read
    label = data.label.copy()
    label[data.test_unseen] = np.random.default_rng(0).permutation(
        label[data.test_unseen]
    )
    other = data_zero_shot.ZeroShotData(**{**vars(data), 'label': label})
    assert (other.label != data.label).any()
    recipe = _eszsl(gamma=(0.1, 1.0), lam=(0.1, 1.0))
    found = []
    for one in (data, other):
        training = one.training()
        of_seen = vectors.of(training.classes)
        draws = choice.draws_of(training, 3, 2)
        chosen = choice.choose(recipe, training, of_seen, draws)
        scores = choice.fit(
            recipe, chosen.zsl.setting, jax.random.key(0), training, of_seen
        )
        unit = choice.deviation(scores, training, of_seen)
        outputs = scores(data.x[data.test_unseen], vectors.of(data.classes))
        found.append((chosen.zsl.setting, chosen.gamma, unit, outputs))
    assert found[0][:3] == found[1][:3]
    np.testing.assert_array_equal(found[0][3], found[1][3])


def test_conse_and_iap_share_classifiers_and_equal_the_methods(read):
    data, vectors = read
    training = data.training()
    x = np.float64(training.x)
    of_seen = vectors.of(training.classes)
    classifiers = recipes.Classifiers()
    table = recipes.recipes(classifiers)
    key = jax.random.key(0)
    for name, constants, options in (
        ('conse', {'cost': [1.0, 1.0], 'top': [1.0, 3.0]}, {}),
        ('iap', {'cost': [1.0]}, {'prior': 'half'}),
    ):
        path = table[name].path(**constants, **options)
        fitted = path.fit(key, x, training.label, of_seen)
        scores = path.scores(fitted, data.x, of_seen)
        last = {k: v[-1] for k, v in constants.items()}
        method = zero_shot.pipeline(table[name].make(**last, **options))
        alone = method.fit(key, x, training.label, of_seen)
        expected = method.scores(alone, data.x, of_seen)
        np.testing.assert_allclose(scores[-1], expected, atol=1e-6)
    assert len(classifiers._trained) == 1


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'methods': ('x',)}, "no method 'x'; choose from eszsl"),
        ({'preparations': ('x',)}, "no preparation 'x'; choose from unit, chosen"),
        ({'data': 'x'}, "no data 'x'; choose from cub"),
        ({'vectors': 'x'}, "no vectors 'x'; choose from attributes, sentences"),
        ({'features': 'f.npz'}, 'needs --config.vectors'),
        ({'unseen': 'rat'}, 'give --config.features too'),
        (
            {'features': 'folder:p', 'vectors': 'names', 'unseen': 'a', 'network': 'x'},
            "no backbone 'x'",
        ),
    ],
)
def test_a_config_that_cannot_be_run_is_one_line(fields, message):
    with pytest.raises(ValueError, match=message):
        cub.build(cub.Config(**fields))
