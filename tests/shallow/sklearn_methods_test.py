"""Every class of `shallow.sklearn`: what all of them must do, on tiny data.

All fits have 18 source and 12 target rows, so that each class compiles its fit once.
"""

import functools
import inspect
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn
from sklearn import linear_model, model_selection, neighbors
from sklearn.base import clone

from transfer_jax import shallow
from transfer_jax.shallow import sklearn as estimators
from transfer_jax.shallow.sklearn import base, recipes

CASES = (
    estimators.NoAdaptation(),
    estimators.JointPCA(2),
    estimators.SubspaceAlignment(2),
    estimators.SGF(2, n_subspaces=3),
    estimators.GFK(2),
    estimators.Coral(),
    estimators.TCA(2),
    estimators.SemiSupervisedTCA(2, n_neighbors=3),
    estimators.TJM(2, max_iter=2),
    estimators.JDA(2, max_iter=2),
    estimators.DIP(2, max_iter=3),
    estimators.ExactTransport(),
    estimators.EntropicTransport(0.05),
    estimators.GroupLassoTransport(0.05, 0.1, max_iter=5),
    estimators.ClassTransport(0.05, 0.1, max_iter=2),
    estimators.LaplacianTransport(1.0, max_iter=5),
    estimators.EasyAdapt(),
    estimators.ITML(10, sweeps=3),
    estimators.KMM(),
    estimators.KLIEP(folds=2),
    estimators.DensityRatio(),
    estimators.JDOT(max_iter=2),
    estimators.LabelPropagation(),
    estimators.DASVM(),
    estimators.NBNN(),
    estimators.DANBNN(max_iter=1, rounds=3),
    estimators.DSCM(),
    estimators.DSCMMetric(2, max_iter=3),
    estimators.AdaptiveSVM(),
    estimators.TrAdaBoost(max_iter=2),
)
# Classes whose `build` is not a function of `shallow` itself: {class: function}.
INDIRECT = {
    estimators.GFK: (shallow.gfk, {'pls'}),
    estimators.TrAdaBoost: (shallow.tradaboost, {'C'}),
}
SCORERS = {
    'source': estimators.source_accuracy,
    'target': estimators.target_accuracy,
}
every_class = pytest.mark.parametrize('case', CASES, ids=lambda e: type(e).__name__)


@pytest.fixture(autouse=True)
def _as_users_run_it(routing_as_by_default):
    """Nothing here depends on the last digits: programs that compile sooner do."""


@functools.cache
def data():
    """x, y, y with hidden target labels, sample_domain; and two shuffled folds.

    The folds have equal numbers of each domain and class. Two target rows of each class
    are labelled.
    """
    rng = np.random.default_rng(0)
    sample_domain = np.repeat([1, -2], [36, 24])
    y = np.arange(60) % 3
    labelled = (sample_domain > 0) | (np.arange(60) >= 54)
    x = 4 * np.eye(3, 5)[y] + rng.normal(size=(60, 5)) + (sample_domain < 0)[:, None]
    order = rng.permutation(60)
    x, y, sample_domain, labelled = (a[order] for a in (x, y, sample_domain, labelled))
    strata = y + 10 * (sample_domain > 0) + 100 * labelled
    folds = model_selection.StratifiedKFold(2, shuffle=True, random_state=0)
    return x, y, np.where(labelled, y, -1), sample_domain, list(folds.split(x, strata))


def train():
    """The rows of the first fit: x, y with hidden labels, sample_domain."""
    x, _, hidden, sample_domain, folds = data()
    rows = folds[0][0]
    return x[rows], hidden[rows], sample_domain[rows]


@functools.cache
def fitted(case):
    return clone(case).fit(*train())


def outputs(estimator, x, sample_domain=None):
    """What a fitted estimator gives for rows, or None."""
    if isinstance(estimator, base.FeatureAdapter):
        return estimator.transform(x, sample_domain)
    if isinstance(estimator, base.DomainClassifier):
        return estimator.decision_function(x, sample_domain)
    return None


def test_every_class_is_a_case():
    classes = {
        value
        for name in estimators.__all__
        if inspect.isclass(value := getattr(estimators, name))
        and hasattr(value, 'build')
    }
    assert classes == {type(case) for case in CASES}


@every_class
def test_parameters_are_those_of_the_function(case):
    """The same names, or scikit-learn's for them, and the same defaults."""
    function, extra = INDIRECT.get(type(case), (case.build, set()))
    names = base.NAMES | dict(case.renamed)
    ours = {
        names.get(name, name): parameter.default
        for name, parameter in inspect.signature(type(case)).parameters.items()
        if name not in extra | {'target_labels', 'random_state'}
    }
    theirs = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ('classes', 'classify')
    }
    assert ours == theirs
    for name, parameter in inspect.signature(type(case)).parameters.items():
        assert f'\n  {name}: ' in inspect.getdoc(type(case))
        assert parameter.annotation is not parameter.empty


@every_class
def test_it_gives_the_rows_of_the_fit_and_others(case):
    x, y, sample_domain = train()
    model = fitted(case)
    if isinstance(model, base.InstanceWeighting):
        assert model.weights_.shape == (18,) and np.isfinite(model.weights_).all()
        return
    target = sample_domain < 0
    result = outputs(model, x, sample_domain)
    assert len(result) == 30 and np.isfinite(result).all()
    np.testing.assert_array_equal(outputs(model, x[target]), result[target])
    np.testing.assert_array_equal(outputs(model, x[~target], 1), result[~target])
    if isinstance(model, base.FeatureAdapter):
        again = clone(case).fit_transform(x, y, sample_domain)
        np.testing.assert_array_equal(again, result)
        names = model.get_feature_names_out()
        assert len(names) == result.shape[1]
    else:
        assert set(model.predict(x)) <= {0, 1, 2}
        np.testing.assert_allclose(model.predict_proba(x[target]).sum(1), 1)
    # As many other rows as the fit had, and fewer.
    others, their_domain = (data()[i][data()[4][0][1]] for i in (0, 3))
    result = outputs(model, others, their_domain)
    assert len(result) == 30 and np.isfinite(result).all()
    few = outputs(model, others[their_domain < 0][:5])
    np.testing.assert_allclose(few, result[their_domain < 0][:5], atol=1e-6)


@every_class
def test_a_fit_of_numpy_arrays_serves_traced_rows(case):
    """Of the functional method: as jax.device_get and pickle return it."""
    x, _, sample_domain = train()
    model = fitted(case)
    arrays = model.fitted_.alignment
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(arrays))
    method = recipes.build(model._recipe).method
    classifies = method.predict is not None
    for of_source, function in ((True, method.source), (False, method.target)):
        function = method.predict if classifies else function
        apply = jax.jit(lambda rows, f=function: f(arrays, rows))
        rows = x[(sample_domain > 0) == of_source]
        for some in (rows, rows + 0.1):  # the rows of the fit, and others
            with jax.enable_x64(True):
                result = np.asarray(apply(jnp.asarray(some)))
            assert len(result) == len(some) and np.isfinite(result).all()


@every_class
def test_it_can_be_pickled_and_cloned(case):
    model = fitted(case)
    copy = pickle.loads(pickle.dumps(model))
    x, _, sample_domain = train()
    if isinstance(model, base.InstanceWeighting):
        np.testing.assert_array_equal(copy.weights_, model.weights_)
    else:
        expected = outputs(model, x, sample_domain)
        np.testing.assert_array_equal(outputs(copy, x, sample_domain), expected)
    assert clone(model).get_params() == case.get_params()
    assert clone(case).set_params(**case.get_params()).get_params() == case.get_params()


@every_class
def test_hidden_labels_are_not_used(case, same_bits):
    if case.target_labels:
        return  # it needs some
    x, hidden, sample_domain = train()
    other = np.where(sample_domain < 0, 2 - hidden, hidden)
    same_bits(clone(case).fit(x, other, sample_domain).fitted_, fitted(case).fitted_)


def classifier_of(case):
    """The case as a classifier."""
    if isinstance(case, base.DomainClassifier):
        return clone(case)
    weighted = isinstance(case, base.InstanceWeighting)
    classifier = (
        linear_model.LogisticRegression()
        if weighted
        else neighbors.KNeighborsClassifier(1)
    )
    return estimators.AdaptedClassifier(clone(case), classifier)


@every_class
def test_cross_validation_gives_source_accuracy_or_says_why_not(case):
    x, y, hidden, sample_domain, folds = data()
    model = classifier_of(case)
    validate = functools.partial(
        model_selection.cross_validate,
        model,
        x,
        cv=folds,
        params={'sample_domain': sample_domain},
        error_score='raise',
    )
    with sklearn.config_context(enable_metadata_routing=True):
        result = validate(hidden)
        labels = hidden if case.target_labels else y  # it must not see them all
        both = validate(labels, scoring=SCORERS, return_estimator=True)
    for i, (_, test) in enumerate(folds):
        source = test[sample_domain[test] > 0]
        target = test[(sample_domain[test] < 0) & (labels[test] >= 0)]
        model = both['estimator'][i]
        accuracy = np.mean(model.predict(x[source], 1) == y[source])
        assert result['test_score'][i] == pytest.approx(accuracy)
        assert both['test_source'][i] == pytest.approx(accuracy)
        accuracy = np.mean(model.predict(x[target]) == y[target])
        assert both['test_target'][i] == pytest.approx(accuracy)
    with pytest.raises(ValueError, match=r'sample_domain is missing.*metadata_routing'):
        validate(hidden)
