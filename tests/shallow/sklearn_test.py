"""The estimators against the functional pipelines, and their rules of domains."""

import doctest
import pickle

import jax
import numpy as np
import pytest
import sklearn
from sklearn import linear_model, neighbors, pipeline, preprocessing
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from tests.shallow.sklearn_cases import (
    NAMES,
    Sloped,
    TargetMeans,
    Unchanged,
    both,
    domains,
    parts,
)
from transfer_jax import shallow
from transfer_jax.shallow import sklearn as estimators
from transfer_jax.shallow.sklearn import (
    AdaptedClassifier,
    SubspaceAlignment,
    recipes,
    rows,
)


@pytest.fixture(autouse=True)
def _as_users_run_it(routing_as_by_default):
    """Nothing here depends on the last digits: programs that compile sooner do."""


def test_the_adapter_maps_each_row_by_the_map_of_its_domain():
    x, y, sample_domain = domains()
    made = shallow.pipeline(shallow.subspace_alignment(2), shallow.nearest_neighbour(3))
    align = made.fit(jax.random.key(0), *parts(x, y, sample_domain)).alignment
    of_source, of_target = x @ np.asarray(align.source), x @ np.asarray(align.target)
    expected = np.where(sample_domain[:, None] > 0, of_source, of_target)
    adapter = SubspaceAlignment(2)
    result = adapter.fit_transform(x, y, sample_domain)
    assert isinstance(result, np.ndarray) and result.dtype == np.float64
    np.testing.assert_allclose(result, expected, atol=1e-12)
    target = sample_domain < 0
    np.testing.assert_allclose(adapter.transform(x[target]), result[target], atol=1e-12)


def test_predictions_are_those_of_the_functional_pipeline():
    x, y, sample_domain = domains()
    nearest = shallow.nearest_neighbour(3)
    adapted = shallow.pipeline(shallow.subspace_alignment(2), nearest)
    direct = shallow.pipeline(shallow.dscm(3))
    for model, made in ((both(), adapted), (estimators.DSCM(), direct)):
        fitted = made.fit(jax.random.key(0), *parts(x, y, sample_domain))
        model.fit(x, NAMES[y], sample_domain)
        assert model.classes_.tolist() == NAMES.tolist()
        for predict, rows_of_domain, domain in (
            (made.predict, sample_domain < 0, None),
            (made.predict_source, sample_domain > 0, 1),
        ):
            some = x[rows_of_domain]
            logits = np.asarray(predict(fitted, {'x': some})['logits'])
            answer = model.predict(some, domain)
            assert answer.tolist() == NAMES[logits.argmax(1)].tolist()
            if isinstance(model, estimators.DomainClassifier):
                decision = model.decision_function(some, domain)
                np.testing.assert_allclose(decision, logits, rtol=1e-6)
        mixed = model.predict(x, sample_domain)
        target = sample_domain < 0
        assert mixed[target].tolist() == model.predict(x[target]).tolist()


def test_labels_of_target_rows_are_not_used():
    x, y, sample_domain = domains()
    expected = both().fit(x, y, sample_domain).predict(x)
    for other in ((y + 1) % 3, -1):
        labels = np.where(sample_domain < 0, other, y)
        model = both().fit(x, labels, sample_domain)
        assert model.predict(x).tolist() == expected.tolist()
    strange = np.where(sample_domain < 0, 'unheard of', NAMES[y])
    assert both().fit(x, strange, sample_domain).classes_.tolist() == NAMES.tolist()


def test_labels_of_target_rows_are_used_with_target_labels():
    x, y, sample_domain = domains()
    target = np.flatnonzero(sample_domain < 0)
    few = np.concatenate([target[y[target] == c][:2] for c in range(3)])
    labels = np.where(sample_domain < 0, -1, y)
    labels[few] = y[few]
    model = TargetMeans().fit(x, labels, sample_domain)
    means = np.stack([x[few[y[few] == c]].mean(0) for c in range(3)])
    np.testing.assert_allclose(model.fitted_.alignment, means, atol=1e-12)
    names = np.where(labels < 0, '-1', NAMES[labels])
    result = model.fit(x, names, sample_domain)
    np.testing.assert_allclose(result.fitted_.alignment, means, atol=1e-12)
    with pytest.raises(ValueError, match='needs target rows with a label'):
        TargetMeans(target_labels=False).fit(x, labels, sample_domain)
    with pytest.raises(ValueError, match='no target row is unlabelled'):
        model.fit(x, y, sample_domain)
    with pytest.raises(ValueError, match='source row 0 is -1'):
        model.fit(x, np.full(len(y), -1), np.abs(sample_domain) * (-1) ** np.arange(60))
    # The classifier after an adapter is trained on them too, on their own features.
    adapter = SubspaceAlignment(2, target_labels=True)
    model = AdaptedClassifier(adapter, neighbors.KNeighborsClassifier(1))
    assert (model.fit(x, labels, sample_domain).predict(x[few]) == y[few]).all()


def test_a_classifier_is_trained_on_adapted_source_rows():
    x, y, sample_domain = domains()
    source = sample_domain > 0
    nearest = neighbors.KNeighborsClassifier(1)
    model = AdaptedClassifier(SubspaceAlignment(2), nearest)
    model.fit(x, NAMES[y], sample_domain)
    adapted = SubspaceAlignment(2).fit_transform(x, y, sample_domain)
    plain = clone(nearest).fit(adapted[source], NAMES[y[source]])
    expected = plain.predict(adapted[~source])
    assert model.predict(x[~source]).tolist() == expected.tolist()
    assert not hasattr(model, 'decision_function')  # which neighbours do not have
    np.testing.assert_allclose(
        model.predict_proba(x[~source]), plain.predict_proba(adapted[~source])
    )
    assert not hasattr(nearest, 'classes_')  # it is a clone that is fitted
    model.set_params(classifier__n_neighbors=30).fit(x, y, sample_domain)
    assert len(set(model.predict(x[~source]))) == 1


def test_weights_reach_the_classifier():
    x, y, sample_domain = domains()
    source = sample_domain > 0
    model = AdaptedClassifier(Sloped(0.5), linear_model.LogisticRegression())
    model.fit(x, y, sample_domain)
    weights = np.exp(0.5 * x[source, 0])
    np.testing.assert_allclose(model.adapter_.weights_, weights, rtol=1e-12)
    plain = linear_model.LogisticRegression()
    plain.fit(x[source], y[source], sample_weight=weights)
    np.testing.assert_allclose(
        model.predict_proba(x), plain.predict_proba(x), atol=1e-12
    )
    labels = np.where(source | (np.arange(60) < 20), y, -1)  # some of the target
    model = clone(model).set_params(adapter__target_labels=True)
    model.fit(x, labels, sample_domain)
    weights = np.where(source, np.exp(0.5 * x[:, 0]), 1)
    plain.fit(x[labels >= 0], y[labels >= 0], sample_weight=weights[labels >= 0])
    np.testing.assert_allclose(
        model.predict_proba(x), plain.predict_proba(x), atol=1e-12
    )


def test_equal_parameters_share_a_program():
    made = [
        recipes.build(estimators.KLIEP(variances=[0.5, 1.0])._to_build(3))
        for _ in range(2)
    ]
    assert made[0] is made[1]


def test_a_subclass_needs_no_parameters():
    x, y, sample_domain = domains()
    adapter = Unchanged()
    np.testing.assert_array_equal(adapter.fit_transform(x, y, sample_domain), x)
    assert adapter.get_params() == {}


def test_parts_that_do_not_fit_together_are_refused():
    data = domains()
    scaled = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression()
    )
    for classifier in (neighbors.KNeighborsClassifier(1), scaled):
        with pytest.raises(ValueError, match='takes no sample_weight.*LogisticRegress'):
            AdaptedClassifier(estimators.KMM(), classifier).fit(*data)
    logistic = linear_model.LogisticRegression()
    with pytest.raises(ValueError, match='DSCM classifies by itself'):
        AdaptedClassifier(estimators.DSCM(), logistic).fit(*data)
    with pytest.raises(ValueError, match=r'StandardScaler is none.*NoAdaptation'):
        AdaptedClassifier(preprocessing.StandardScaler(), logistic).fit(*data)


def test_a_fit_keeps_its_hyper_parameters():
    x, y, sample_domain = domains()
    model = both().fit(x, y, sample_domain)
    assert 'SubspaceAlignment(n_components=2)' in repr(model)
    before = model.predict(x)
    model.set_params(adapter__n_components=1)
    assert model.predict(x).tolist() == before.tolist()
    copy = pickle.loads(pickle.dumps(model))
    assert copy.predict(x).tolist() == before.tolist()
    adapter = SubspaceAlignment(2).fit(x, y, sample_domain)
    assert adapter.set_params(n_components=1).transform(x).shape == (60, 2)


@pytest.mark.parametrize(
    'model', [SubspaceAlignment(2), both()], ids=['adapter', 'both']
)
def test_errors_are_one_clear_line(model):
    x, y, sample_domain = domains()
    model = clone(model)
    adapts = isinstance(model, estimators.FeatureAdapter)
    with pytest.raises(NotFittedError):
        (model.transform if adapts else model.predict)(x)
    for wrong, message in (
        (None, 'sample_domain: pass it to the fit'),
        (np.ones(60), 'sample_domain: no target rows; .*shuffle'),
        (-np.ones(60), 'sample_domain: no source rows; .*shuffle'),
        (
            sample_domain > 0,
            'sample_domain: 0 in row .* is neither.*write 1 for source',
        ),
        (np.where(sample_domain > 0, 's', 't'), 'sample_domain: not numbers; write 1'),
        (np.where(sample_domain > 0, '1', '-1'), 'sample_domain: strings; write 1'),
        (
            np.where(np.arange(60) == 7, np.nan, sample_domain),
            'sample_domain: NaN in row 7',
        ),
        ([None, *sample_domain[1:]], 'sample_domain: NaN in row 0'),
        (sample_domain[1:], r'sample_domain: shape \(59,\) for 60 rows'),
        (sample_domain[:, None], r'sample_domain: shape \(60, 1\) for 60 rows'),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(x, y, wrong)
    with pytest.raises(ValueError, match='of 1 class'):
        model.fit(x, np.zeros(60, int), sample_domain)
    target = sample_domain < 0
    first = np.flatnonzero(target)[0]
    for missing in (
        np.where(target, np.nan, y),
        np.where(target, None, NAMES[y].astype(object)),
    ):
        with pytest.raises(ValueError, match=f'y: no label in row {first} .*write -1'):
            model.fit(x, missing, sample_domain)
    mixed = np.where(target, -1, NAMES[y].astype(object))
    with pytest.raises(ValueError, match="y: strings and numbers .*write '-1'"):
        model.fit(x, mixed, sample_domain)
    with pytest.raises(ValueError, match='NaN'):
        model.fit(np.where(x == x.max(), np.nan, x), y, sample_domain)
    name = 'n_components' if adapts else 'adapter__n_components'
    with pytest.raises(ValueError, match='n_components 7: the features have'):
        clone(model).set_params(**{name: 7}).fit(x, y, sample_domain)
    with pytest.raises(ValueError, match='C -1.0: must be positive'):
        estimators.JDOT(C=-1.0).fit(x, y, sample_domain)
    model.fit(x, y, sample_domain)
    use = model.transform if adapts else model.predict
    with pytest.raises(ValueError, match='3 features'):
        use(x[:, :3])
    with pytest.raises(ValueError, match='sample_domain: NaN in row 0'):
        use(x, np.full(60, np.nan))


def test_rows_are_mapped_by_the_function_of_their_domain():
    result = rows.map_rows(
        lambda x: x + 10, lambda x: -x, np.arange(4.0)[:, None], np.arange(4) % 2 == 0
    )
    assert result.ravel().tolist() == [10, -1, 12, -3]


def test_the_example_of_the_package_prints_what_it_shows():
    """Target accuracy of no adaptation and of a method that adapts."""
    with sklearn.config_context():  # the example turns routing on
        failed, tried = doctest.testmod(estimators)
    assert tried and not failed


def test_it_is_imported_when_it_is_used():
    assert 'sklearn' in shallow.__all__
    assert shallow.__getattr__('sklearn') is estimators
    with pytest.raises(AttributeError, match="no attribute 'sklaern'"):
        _ = shallow.sklaern
