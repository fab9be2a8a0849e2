"""The estimators against the pipelines they wrap."""

import functools
import pickle

import jax
import numpy as np
import pytest
import sklearn
from sklearn import model_selection, neighbors, pipeline, preprocessing
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from transfer_jax import shallow
from transfer_jax.shallow import sample_domains
from transfer_jax.shallow.sklearn import AdaptedClassifier, Adapter
from transfer_jax.types import Samples

NAMES = np.array(['cat', 'dog', 'eel'])


def domains(seed=0, n=30, d=4):
    """(x, y, sample_domain): a source, and a rotated and shifted target."""
    rng = np.random.default_rng(seed)
    y = np.arange(2 * n) % 3
    x = 5 * np.eye(3, d)[y] + rng.normal(size=(2 * n, d))
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    x[n:] = x[n:] @ turn + 1
    sample_domain = np.repeat([1, -2], n)
    order = rng.permutation(2 * n)
    return x[order], y[order], sample_domain[order]


def parts(x, y, sample_domain):
    source = sample_domain > 0
    return (
        Samples(x[source], y[source], np.ones(source.sum())),
        Samples(x[~source], np.full((~source).sum(), -1), np.ones((~source).sum())),
    )


def weighted(slope=1.0):
    """A method with weights that increase along the first feature."""

    def fit(key, source, target):
        del key, target
        return jax.numpy.exp(slope * source.x[:, 0])

    return shallow.none()._replace(fit=fit, weights=lambda fitted: fitted)


def target_means(classes, scale=1.0):
    """A method that classifies by the class means of labelled target examples."""

    def fit(key, source, target):
        del key, source
        one_hot = jax.nn.one_hot(target.label, classes) * target.mask[:, None]
        return one_hot.T @ target.x / one_hot.sum(0)[:, None]

    def predict(fitted, x):
        return -scale * jax.numpy.sum((x[:, None] - fitted) ** 2, -1)

    return shallow.none()._replace(fit=fit, predict=predict, semi_supervised=True)


SA = functools.partial(Adapter, shallow.subspace_alignment)
BOTH = functools.partial(
    AdaptedClassifier, shallow.subspace_alignment, shallow.nearest_neighbour
)


@pytest.fixture(autouse=True)
def routing_as_by_default():
    """Importing skada, as other tests do, turns metadata routing on globally."""
    with sklearn.config_context(enable_metadata_routing=False):
        yield


def test_the_adapter_maps_each_row_by_the_map_of_its_domain():
    x, y, sample_domain = domains()
    made = shallow.pipeline(shallow.subspace_alignment(2), shallow.nearest_neighbour(3))
    align = made.fit(jax.random.key(0), *parts(x, y, sample_domain)).alignment
    of_source, of_target = (x @ np.asarray(part) for part in align)
    expected = np.where(sample_domain[:, None] > 0, of_source, of_target)
    adapter = SA(dimension=2)
    result = adapter.fit_transform(x, y, sample_domain)
    assert isinstance(result, np.ndarray) and result.dtype == np.float64
    np.testing.assert_allclose(result, expected, atol=1e-12)
    np.testing.assert_allclose(adapter.transform(x, sample_domain), result, atol=1e-12)
    target = sample_domain < 0
    np.testing.assert_allclose(adapter.transform(x[target]), result[target], atol=1e-12)


def test_the_classifier_predicts_what_the_pipeline_does():
    x, y, sample_domain = domains()
    made = shallow.pipeline(shallow.subspace_alignment(2), shallow.nearest_neighbour(3))
    fitted = made.fit(jax.random.key(0), *parts(x, y, sample_domain))
    model = BOTH(dimension=2).fit(x, NAMES[y], sample_domain)
    assert model.classes_.tolist() == NAMES.tolist()
    for predict, rows, given in (
        (made.predict, sample_domain < 0, None),
        (made.predict_source, sample_domain > 0, sample_domain[sample_domain > 0]),
    ):
        logits = np.asarray(predict(fitted, {'x': x[rows]})['logits'])
        np.testing.assert_array_equal(model.decision_function(x[rows], given), logits)
        answer = model.predict(x[rows], given)
        assert answer.tolist() == NAMES[logits.argmax(1)].tolist()
        assert model.score(x[rows], answer, sample_domain=given) == 1
        share = model.predict_proba(x[rows], given)
        np.testing.assert_allclose(share.sum(1), 1, atol=1e-12)
        assert (share.argmax(1) == logits.argmax(1)).all()
    mixed = model.predict(x, sample_domain)
    target = sample_domain < 0
    assert mixed[target].tolist() == model.predict(x[target]).tolist()


@pytest.mark.parametrize('model', [SA(dimension=2), BOTH(dimension=2)])
def test_labels_of_target_rows_are_not_used(model, same_bits):
    x, y, sample_domain = domains()
    other = np.where(sample_domain < 0, (y + 1) % 3, y)
    masked = np.where(sample_domain < 0, -1, y)
    fitted = [model.fit(x, labels, sample_domain).fitted_ for labels in (y, other)]
    same_bits(fitted[0], fitted[1])
    same_bits(fitted[0], model.fit(x, masked, sample_domain).fitted_)
    strange = np.where(sample_domain < 0, 'unheard of', NAMES[y])
    assert model.fit(x, strange, sample_domain).classes_.tolist() == NAMES.tolist()


def test_labels_of_target_rows_are_used_with_target_labels():
    x, y, sample_domain = domains()
    target = np.flatnonzero(sample_domain < 0)
    few = np.concatenate([target[y[target] == c][:2] for c in range(3)])
    labels = np.where(sample_domain < 0, -1, y)
    labels[few] = y[few]
    model = AdaptedClassifier(target_means, target_labels=True)
    model.fit(x, labels, sample_domain)
    means = np.stack([x[few[y[few] == c]].mean(0) for c in range(3)])
    np.testing.assert_allclose(model.fitted_.alignment, means, atol=1e-12)
    names = np.where(labels < 0, '-1', NAMES[labels])
    result = model.fit(x, names, sample_domain)
    np.testing.assert_allclose(result.fitted_.alignment, means, atol=1e-12)
    with pytest.raises(ValueError, match='target_labelled'):
        clone(model).set_params(target_labels=False).fit(x, labels, sample_domain)
    with pytest.raises(ValueError, match='no target row is unlabelled'):
        model.fit(x, y, sample_domain)
    with pytest.raises(ValueError, match='a source row is -1'):
        model.fit(x, np.full(len(y), -1), sample_domain)


def test_a_classifier_of_scikit_learn_is_trained_on_adapted_source_rows():
    x, y, sample_domain = domains()
    source = sample_domain > 0
    nearest = neighbors.KNeighborsClassifier(1)
    model = AdaptedClassifier(shallow.subspace_alignment, nearest, dimension=2)
    model.fit(x, NAMES[y], sample_domain)
    adapted = SA(dimension=2).fit_transform(x, y, sample_domain)
    plain = clone(nearest).fit(adapted[source], NAMES[y[source]])
    expected = plain.predict(adapted[~source])
    assert model.predict(x[~source]).tolist() == expected.tolist()
    assert not hasattr(model, 'decision_function')  # which neighbours do not have
    np.testing.assert_allclose(
        model.predict_proba(x[~source]), plain.predict_proba(adapted[~source])
    )
    assert not hasattr(nearest, 'classes_')  # it is a clone that is fitted
    model.set_params(classify__n_neighbors=30).fit(x, y, sample_domain)
    assert len(set(model.predict(x[~source]))) == 1


def test_weights_of_a_method_reach_the_classifier_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    x, y, sample_domain = domains()
    source = sample_domain > 0
    model = AdaptedClassifier(weighted, LogisticRegression(), slope=0.5)
    model.fit(x, y, sample_domain)
    weights = np.exp(0.5 * x[source, 0])
    np.testing.assert_allclose(model.weights_, weights, rtol=1e-12)
    plain = LogisticRegression().fit(x[source], y[source], sample_weight=weights)
    np.testing.assert_allclose(
        model.predict_proba(x), plain.predict_proba(x), atol=1e-12
    )
    assert (
        model.set_params(build=shallow.none).fit(x, y, sample_domain).weights_ is None
    )


def test_hyper_parameters_are_those_of_the_builders():
    model = AdaptedClassifier(
        shallow.subspace_alignment, shallow.linear_svm, dimension=2, classify_cost=3.0
    )
    expected = {'dimension': 2, 'classify_cost': 3.0}
    assert expected.items() <= model.get_params().items()
    copy = clone(model)
    assert copy is not model and copy.get_params() == model.get_params()
    assert 'classify_cost=3.0' in repr(model) and 'dimension=2' in repr(model)
    assert model.set_params(dimension=1).dimension == 1
    model.set_params(slope=2.0, build=weighted)
    assert model.get_params()['slope'] == 2 and 'dimension' not in model.get_params()
    with pytest.raises(TypeError, match="no parameter 'size'; choose from dimension"):
        SA(size=2)
    x, y, sample_domain = domains()
    with pytest.raises(ValueError, match='dimension: the method needs a value'):
        SA().fit(x, y, sample_domain)
    assert SA().set_params(dimension=2).fit(x, y, sample_domain).dimension == 2


def test_a_fit_keeps_its_hyper_parameters():
    x, y, sample_domain = domains()
    model = BOTH(dimension=2).fit(x, y, sample_domain)
    before = model.predict(x)
    assert model.set_params(dimension=1).predict(x).tolist() == before.tolist()
    copy = pickle.loads(pickle.dumps(model))
    assert copy.predict(x).tolist() == before.tolist()


def test_cross_validation_of_a_pipeline_scores_the_target():
    x, y, sample_domain = domains(n=45)
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), BOTH(dimension=3))
    target = np.flatnonzero(sample_domain < 0)
    rows = np.arange(len(x))
    splits = [(np.setdiff1d(rows, test), test) for test in np.array_split(target, 3)]
    params = {'adaptedclassifier__sample_domain': sample_domain}
    result = model_selection.cross_validate(model, x, y, cv=splits, params=params)
    for (train, test), score in zip(splits, result['test_score'], strict=True):
        scale = preprocessing.StandardScaler().fit(x[train])
        plain = BOTH(dimension=3)
        plain.fit(scale.transform(x[train]), y[train], sample_domain[train])
        assert score == plain.score(scale.transform(x[test]), y[test])


def test_a_grid_search_tunes_an_adapter_in_a_pipeline():
    x, y, sample_domain = domains(n=45)
    nearest = AdaptedClassifier(shallow.none, neighbors.KNeighborsClassifier(1))
    model = pipeline.Pipeline([('adapter', SA()), ('classifier', nearest)])
    search = model_selection.GridSearchCV(model, {'adapter__dimension': [1, 3]}, cv=2)
    names = ('adapter__sample_domain', 'classifier__sample_domain')
    search.fit(x, y, **dict.fromkeys(names, sample_domain))
    # Row by row: the adapter uses both domains, the classifier the source labels.
    direct = AdaptedClassifier(
        shallow.subspace_alignment,
        neighbors.KNeighborsClassifier(1),
        **{'dimension': search.best_params_['adapter__dimension']},
    )
    expected = direct.fit(x, y, sample_domain).predict(x)
    assert search.predict(x).tolist() == expected.tolist()


def test_metadata_routing_passes_the_domains():
    x, y, sample_domain = domains(n=45)
    with sklearn.config_context(enable_metadata_routing=True):
        nearest = AdaptedClassifier(shallow.none, neighbors.KNeighborsClassifier(1))
        model = pipeline.make_pipeline(SA(dimension=3), nearest)
        params = {'sample_domain': sample_domain}
        result = model_selection.cross_validate(model, x, y, cv=3, params=params)
        splits = model_selection.StratifiedKFold(3).split(x, y)
        for (train, test), score in zip(splits, result['test_score'], strict=True):
            direct = AdaptedClassifier(
                shallow.subspace_alignment,
                neighbors.KNeighborsClassifier(1),
                dimension=3,
            ).fit(x[train], y[train], sample_domain[train])
            routed = {'sample_domain': sample_domain[test]}
            assert score == direct.score(x[test], y[test], **routed)


def test_skada_pipelines_and_splitters_take_it():
    enabled = sklearn.get_config()['enable_metadata_routing']
    skada = pytest.importorskip('skada')  # its import turns metadata routing on
    sklearn.set_config(enable_metadata_routing=enabled)
    from skada.model_selection import StratifiedDomainShuffleSplit

    x, y, sample_domain = domains(n=45)
    with sklearn.config_context(enable_metadata_routing=True):
        model = skada.make_da_pipeline(
            SA(dimension=3), neighbors.KNeighborsClassifier(1)
        )
        model.fit(x, y.copy(), sample_domain=sample_domain)
        direct = AdaptedClassifier(
            shallow.subspace_alignment, neighbors.KNeighborsClassifier(1), dimension=3
        ).fit(x, y, sample_domain)
        target = x[sample_domain < 0]
        assert model.predict(target).tolist() == direct.predict(target).tolist()
        result = model_selection.cross_validate(
            pipeline.make_pipeline(preprocessing.StandardScaler(), BOTH(dimension=3)),
            x,
            y,
            cv=StratifiedDomainShuffleSplit(2, test_size=0.3, random_state=0),
            params={'sample_domain': sample_domain},
        )
    assert result['test_score'].shape == (2,)


@pytest.mark.parametrize('model', [SA(dimension=2), BOTH(dimension=2)])
def test_errors_are_one_clear_line(model):
    x, y, sample_domain = domains()
    model = clone(model)
    use = model.transform if isinstance(model, Adapter) else model.predict
    with pytest.raises(NotFittedError):
        use(x)
    for wrong, message in (
        (None, 'sample_domain: pass it to the fit'),
        (np.ones(60), 'sample_domain: no target rows'),
        (-np.ones(60), 'sample_domain: no source rows'),
        (sample_domain * (y > 0), 'sample_domain: 0 is neither'),
        (sample_domain[1:], r'sample_domain: shape \(59,\) for 60 rows'),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(x, y, wrong)
    with pytest.raises(ValueError, match='of 1 class'):
        model.fit(x, np.zeros(60, int), sample_domain)
    with pytest.raises(ValueError, match='NaN'):
        model.fit(np.where(x == x.max(), np.nan, x), y, sample_domain)
    with pytest.raises(ValueError, match='dimension 7.*have'):
        clone(model).set_params(dimension=7).fit(x, y, sample_domain)
    model.fit(x, y, sample_domain)
    use = model.transform if isinstance(model, Adapter) else model.predict
    with pytest.raises(ValueError, match='3 features'):
        use(x[:, :3])


def test_two_classes_give_one_column_of_decisions():
    x, y, sample_domain = domains()
    labels = np.where(y > 0, 1, -1)  # which is a class without target_labels
    model = BOTH(dimension=3).fit(x, labels, sample_domain)
    decision = model.decision_function(x)
    assert decision.shape == (60,)
    assert model.predict(x).tolist() == np.where(decision > 0, 1, -1).tolist()


def test_rows_are_mapped_by_the_function_of_their_domain():
    result = sample_domains.map_rows(
        lambda x: x + 10, lambda x: -x, np.arange(4.0)[:, None], np.arange(4) % 2 == 0
    )
    assert result.ravel().tolist() == [10, -1, 12, -3]
