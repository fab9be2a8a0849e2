"""The estimators: classes by name, and the conventions of scikit-learn."""

import functools
import inspect
import pickle

import jax
import numpy as np
import pytest
import sklearn
from sklearn import model_selection
from sklearn.base import clone

from tests.zero_shot import generated
from transfer_jax import zero_shot
from transfer_jax.zero_shot import sklearn as estimators

NAMES = [n for n in estimators.__all__ if n != 'ZeroShotClassifier']
SEEN = [f'bird {i:02}' for i in range(12)]
UNSEEN = ['wren', 'kite', 'owl', 'auk']


@functools.cache
def world():
    return generated.world()


def of_names(names):
    """{name: vector}."""
    vectors = np.concatenate([world().vectors, world().unseen])
    every = dict(zip([*SEEN, *UNSEEN], vectors, strict=True))
    return {name: every[name] for name in names}


def training():
    """(X, y) by name."""
    return world().x, np.array(SEEN)[world().label]


@functools.cache
def fitted():
    return estimators.ESZSL(0.1, lam=0.1).fit(*training(), of_names(SEEN))


@pytest.mark.parametrize('name', NAMES)
def test_every_estimator_is_its_method(name):
    model = getattr(estimators, name)()
    if hasattr(model, 'epochs'):
        model.set_params(epochs=2)
    model = clone(model)
    x, y = training()
    predicted = model.fit(x, y, of_names(SEEN)).predict(
        world().test_x, of_names(UNSEEN)
    )
    assert set(predicted) <= set(UNSEEN)
    arguments = model.get_params()
    arguments.pop('unit_rows')
    seed = arguments.pop('random_state', 0)
    compiled = zero_shot.pipeline(type(model).build(**arguments))
    key = jax.random.key(np.random.RandomState(seed).randint(2**31 - 1))
    fit = compiled.fit(key, *world()[:3])
    expected = compiled.scores(fit, world().test_x, world().unseen)
    scores = model.decision_function(world().test_x, of_names(UNSEEN))
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('name', NAMES)
def test_the_defaults_are_those_of_the_method(name):
    model = getattr(estimators, name)
    method = inspect.signature(model.build).parameters
    own = model().get_params()
    assert set(method) == set(own) - {'unit_rows', 'random_state'}
    for argument, parameter in method.items():
        assert own[argument] == parameter.default


def test_the_order_of_the_names_does_not_matter():
    x, y = training()
    test = world().test_x
    other = clone(fitted()).fit(x, y, of_names(SEEN[::-1]))
    first = fitted().predict(test, of_names(UNSEEN))
    np.testing.assert_array_equal(first, other.predict(test, of_names(UNSEEN[::-1])))
    assert np.mean(first == np.array(UNSEEN)[world().test_label]) > 0.7


def test_extra_vectors_are_not_looked_at():
    x, y = training()
    extra = of_names(SEEN) | {
        'owl': np.full(6, np.nan),
        'auk': np.zeros(2),
        'wren': of_names(SEEN)[SEEN[0]],
    }
    model = clone(fitted()).fit(x, y, extra)
    for one, two in zip(
        jax.tree.leaves(model.fitted_), jax.tree.leaves(fitted().fitted_), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    assert model.score_unit_ == fitted().score_unit_


def test_rows_are_scaled_to_length_1():
    x, y = training()
    longer = {name: 3 * v for name, v in of_names([*SEEN, *UNSEEN]).items()}
    model = clone(fitted()).fit(5 * x, y, longer)
    test = world().test_x
    result = model.decision_function(2 * test, {n: longer[n] for n in UNSEEN})
    expected = fitted().decision_function(test, of_names(UNSEEN))
    np.testing.assert_allclose(result, expected, atol=1e-10)
    raw = clone(fitted()).set_params(unit_rows=False).fit(5 * x, y, longer)
    assert abs(raw.decision_function(test, of_names(UNSEEN)) - expected).max() > 0.01


def test_gamma_lowers_the_seen_classes():
    test, every = world().test_x, of_names([SEEN[3], *UNSEEN, SEEN[0]])
    plain = fitted().decision_function(test, every)
    lower = fitted().decision_function(test, every, gamma=2.0)
    expected = 2.0 * fitted().score_unit_ * np.array([1, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(plain - lower, np.tile(expected, (32, 1)), atol=1e-12)
    assert set(fitted().predict(test, every, gamma=1e6)) <= set(UNSEEN)
    with pytest.raises(ValueError, match='there are no unseen classes to calibrate'):
        fitted().predict(test, of_names(SEEN), gamma=1.0)
    with pytest.raises(ValueError, match='there are no seen classes to calibrate'):
        fitted().predict(test, of_names(UNSEEN), gamma=1.0)


def test_score_is_the_mean_over_the_classes_of_y():
    y = np.array(UNSEEN)[world().test_label]
    few = np.flatnonzero((y != 'owl') | (np.arange(32) < 5))
    x, y = world().test_x[few], y[few]
    predicted = fitted().predict(x, of_names(UNSEEN))
    expected = np.mean([np.mean(predicted[y == n] == n) for n in UNSEEN])
    # Other classes are no candidates.
    assert fitted().score(x, y, of_names([*SEEN, *UNSEEN])) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no vector of 'wren'"):
        fitted().score(x, y, of_names(UNSEEN[1:]))


def test_parameters_are_chosen_on_classes_that_were_left_out():
    x, y = training()
    with sklearn.config_context(enable_metadata_routing=True):
        search = model_selection.GridSearchCV(
            estimators.ESZSL(),
            {'gamma': [0.1, 100.0]},
            cv=model_selection.GroupKFold(3),
        )
        search.fit(x, y, groups=y, class_vectors=of_names([*SEEN, *UNSEEN]))
    # Each fold's classes are unseen by its fit, and only they are candidates.
    assert search.best_score_ > 0.6  # chance is 0.25


def test_a_fit_can_be_pickled():
    copy = pickle.loads(pickle.dumps(fitted()))
    np.testing.assert_array_equal(
        copy.predict(world().test_x, of_names(UNSEEN)),
        fitted().predict(world().test_x, of_names(UNSEEN)),
    )


def test_names_may_be_numbers():
    x, _ = training()
    vectors = dict(enumerate(world().vectors))
    model = estimators.ESZSL().fit(x, world().label, vectors)
    assert model.predict(x[:3], vectors).dtype.kind == 'i'


@pytest.mark.parametrize(
    'change, message',
    [
        ({SEEN[4]: None}, "no vector of 'bird 04', which occurs in y"),
        ({SEEN[4]: np.zeros(6)}, "the vector of class 'bird 04' is all zeros"),
        ({SEEN[4]: np.full(6, np.nan)}, "NaN .* in the vector of class 'bird 04'"),
        ({SEEN[4]: np.ones(5)}, r"'bird 04' has shape \(5,\), but 'bird 00' has"),
    ],
)
def test_vectors_that_cannot_be_used(change, message):
    vectors = of_names(SEEN) | change
    vectors = {name: v for name, v in vectors.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        estimators.ESZSL().fit(*training(), vectors)


def test_other_errors_name_the_culprit():
    x, y = training()
    same = of_names(SEEN) | {SEEN[7]: of_names(SEEN)[SEEN[2]]}
    with pytest.raises(
        ValueError, match="classes 'bird 02' and 'bird 07' have the same"
    ):
        estimators.ESZSL().fit(x, y, same)
    with pytest.raises(ValueError, match='at least 2 classes are needed'):
        estimators.ESZSL().fit(x, y[:1].repeat(len(y)), of_names(SEEN))
    with pytest.raises(ValueError, match='the fit had vectors of dimension 6'):
        fitted().predict(x, {'owl': np.ones(5), 'kite': np.arange(5.0)})
    with pytest.raises(ValueError, match='there are no classes'):
        fitted().predict(x, {})
    with pytest.raises(ValueError, match='gamma -1: must be positive'):
        estimators.ESZSL(gamma=-1).fit(x, y, of_names(SEEN))
