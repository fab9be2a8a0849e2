"""What `score`, cross-validation and metadata routing do with two domains."""

import numpy as np
import pytest
import sklearn
from sklearn import model_selection, neighbors, pipeline, preprocessing

from tests.shallow.sklearn_cases import (
    both,
    domains,
)
from transfer_jax.shallow import sklearn as estimators
from transfer_jax.shallow.sklearn import (
    AdaptedClassifier,
    SubspaceAlignment,
)


@pytest.fixture(autouse=True)
def _as_users_run_it(routing_as_by_default):
    """Nothing here depends on the last digits: programs that compile sooner do."""


def test_score_is_the_accuracy_on_one_domain():
    x, y, sample_domain = domains()
    source = sample_domain > 0
    model = both().fit(x, y, sample_domain)
    accuracies = {
        True: np.mean(model.predict(x[source], 1) == y[source]),
        False: np.mean(model.predict(x[~source]) == y[~source]),
    }
    assert accuracies[True] != accuracies[False] != 0
    hidden = np.where(source, y, -1)
    for labels in (y, hidden):  # of both domains: source validation
        assert model.score(x, labels, sample_domain=sample_domain) == accuracies[True]
    assert model.score(x[~source], y[~source], sample_domain=-1) == accuracies[False]
    with pytest.warns(UserWarning, match='all rows are scored as target rows'):
        assert model.score(x[~source], y[~source]) == accuracies[False]
    weight = (model.predict(x, sample_domain) == y).astype(float)
    assert model.score(x, y, weight, sample_domain=sample_domain) == 1
    # Rows of unknown label are left out.
    part = np.where(np.arange(60) < 30, y, -1)[~source]
    expected = np.mean(model.predict(x[~source])[part >= 0] == part[part >= 0])
    assert model.score(x[~source], part, sample_domain=-1) == expected
    assert estimators.target_accuracy(model, x, y, sample_domain) == accuracies[False]
    assert estimators.source_accuracy(model, x, hidden, sample_domain) == accuracies[1]
    with pytest.raises(ValueError, match=r'labels -1.*sample_domain is missing'):
        model.score(x, hidden)
    with pytest.raises(ValueError, match=r'no target row with a known.*shuffle'):
        model.score(x[~source], hidden[~source], sample_domain=-1)
    with pytest.raises(ValueError, match=r'no target row with a known.*shuffle'):
        estimators.target_accuracy(model, x, hidden, sample_domain)
    with pytest.raises(ValueError, match='target accuracy: sample_domain is missing'):
        estimators.target_accuracy(model, x, y)
    with pytest.raises(ValueError, match="domain 'both': choose"):
        estimators.DomainAccuracy('both')(model, x, y, sample_domain)


def test_minus_one_is_a_class_if_the_source_has_it():
    x, y, sample_domain = domains()
    source = sample_domain > 0
    labels = np.where(y > 0, 1, -1)
    model = estimators.DSCM().fit(x, labels, sample_domain)
    decision = model.decision_function(x)
    assert decision.shape == (60,)  # one column for two classes
    assert model.predict(x).tolist() == np.where(decision > 0, 1, -1).tolist()
    correct = model.predict(x[~source]) == labels[~source]
    result = model.score(x[~source], labels[~source], sample_domain=-1)
    assert result == np.mean(correct)
    hidden = np.where(source, labels, -1)
    for other in (estimators.DSCM(), both()):
        with pytest.warns(UserWarning, match='-1 is a class of the source'):
            other.fit(x, hidden, sample_domain)


def test_cross_validation_without_routing_scores_the_target_alone():
    x, y, sample_domain = domains(n=45)
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), both(3))
    target = np.flatnonzero(sample_domain < 0)
    every = np.arange(len(x))
    splits = [(np.setdiff1d(every, test), test) for test in np.array_split(target, 3)]
    params = {'adaptedclassifier__sample_domain': sample_domain}
    with pytest.warns(UserWarning, match='scored as target rows'):
        result = model_selection.cross_validate(model, x, y, cv=splits, params=params)
    for (train, test), score in zip(splits, result['test_score'], strict=True):
        scale = preprocessing.StandardScaler().fit(x[train])
        plain = both(3)
        plain.fit(scale.transform(x[train]), y[train], sample_domain[train])
        scaled = scale.transform(x[test])
        assert score == plain.score(scaled, y[test], sample_domain=-1)


def test_a_grid_search_chooses_by_source_accuracy():
    x, y, sample_domain = domains(n=45)
    hidden = np.where(sample_domain > 0, y, -1)
    folds = model_selection.StratifiedKFold(3, shuffle=True, random_state=0)
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), both())
    grid = {'adaptedclassifier__adapter__n_components': [1, 3]}
    with sklearn.config_context(enable_metadata_routing=True):
        searches = [
            model_selection.GridSearchCV(
                model, grid, cv=folds, scoring=scoring, error_score='raise'
            ).fit(x, hidden, sample_domain=sample_domain)
            for scoring in (None, estimators.source_accuracy)
        ]
    by_score, by_scorer = (s.cv_results_['mean_test_score'] for s in searches)
    np.testing.assert_array_equal(by_score, by_scorer)
    for count, score in zip((1, 3), by_score, strict=True):
        accuracies = []
        for train, test in folds.split(x, hidden):
            scale = preprocessing.StandardScaler().fit(x[train])
            direct = both(count)
            direct.fit(scale.transform(x[train]), hidden[train], sample_domain[train])
            test = test[sample_domain[test] > 0]
            predicted = direct.predict(scale.transform(x[test]), 1)
            accuracies.append(np.mean(predicted == y[test]))
        assert score == pytest.approx(np.mean(accuracies))
    # Without routing a pipeline cannot pass the domains to its steps.
    with pytest.raises(ValueError, match='Pipeline passes sample_domain.*only after'):
        estimators.source_accuracy(searches[0].best_estimator_, x, y, sample_domain)


def test_folds_of_one_domain_say_to_shuffle():
    x, y, sample_domain = domains()
    order = np.argsort(-sample_domain, kind='stable')  # stacked: source, then target
    splits = [(order[:30], order[30:])]
    with pytest.raises(ValueError, match='no target rows; .*shuffle the folds'):
        model_selection.cross_validate(
            both(), x, y, cv=splits, params={'sample_domain': sample_domain},
            error_score='raise',
        )  # fmt: skip


def test_routing_passes_the_domains_through_a_pipeline():
    x, y, sample_domain = domains(n=45)
    nearest = neighbors.KNeighborsClassifier(1)
    none = AdaptedClassifier(estimators.NoAdaptation(), nearest)
    model = pipeline.make_pipeline(SubspaceAlignment(3), none)
    with sklearn.config_context(enable_metadata_routing=True):
        model.fit(x, y, sample_domain=sample_domain)
        result = model.predict(x, sample_domain=sample_domain)
    direct = both(3).fit(x, y, sample_domain)
    assert result.tolist() == direct.predict(x, sample_domain).tolist()


def test_skada_pipelines_and_splitters_take_it():
    enabled = sklearn.get_config()['enable_metadata_routing']
    skada = pytest.importorskip('skada')  # its import turns metadata routing on
    sklearn.set_config(enable_metadata_routing=enabled)
    from skada.model_selection import StratifiedDomainShuffleSplit

    x, y, sample_domain = domains(n=45)
    with sklearn.config_context(enable_metadata_routing=True):
        model = skada.make_da_pipeline(
            SubspaceAlignment(3), neighbors.KNeighborsClassifier(1)
        )
        model.fit(x, y.copy(), sample_domain=sample_domain)
        direct = both(3).fit(x, y, sample_domain)
        target = x[sample_domain < 0]
        assert model.predict(target).tolist() == direct.predict(target).tolist()
        result = model_selection.cross_validate(
            pipeline.make_pipeline(preprocessing.StandardScaler(), both(3)),
            x,
            y,
            cv=StratifiedDomainShuffleSplit(2, test_size=0.3, random_state=0),
            params={'sample_domain': sample_domain},
            error_score='raise',
        )
    assert result['test_score'].shape == (2,)
