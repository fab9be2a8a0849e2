"""DAP, IAP, ConSE and SYNC, and the classifiers below them, against other programs."""

import jax
import numpy as np
import pytest
from scipy import optimize, special
from sklearn import linear_model

from tests.zero_shot import generated
from transfer_jax import zero_shot
from transfer_jax.zero_shot import attributes, linear

KEY = jax.random.key(0)
WORLD = generated.world(seen=5, unseen=3, a=4, d=6)


@pytest.fixture
def exact(monkeypatch):
    """Classifiers are fitted until nothing changes."""
    monkeypatch.setattr(linear, 'TOLERANCE', 1e-16)
    monkeypatch.setattr(linear, 'STEPS', 1_000)


@pytest.mark.usefixtures('exact', 'float64')
def test_the_softmax_is_that_of_scikit_learn():
    fitted = linear.softmax_regression(WORLD.x, WORLD.label, 5, 30.0)
    other = linear_model.LogisticRegression(C=30.0, tol=1e-8, max_iter=2_000)
    other.fit(WORLD.x, WORLD.label)
    np.testing.assert_allclose(fitted.weight, other.coef_.T, atol=1e-5)
    free = other.intercept_ - other.intercept_.mean()  # up to a constant
    np.testing.assert_allclose(fitted.bias - fitted.bias.mean(), free, atol=1e-5)


@pytest.mark.usefixtures('exact', 'float64')
def test_the_logistic_regressions_are_those_of_scikit_learn():
    target = (WORLD.vectors > WORLD.vectors.mean(0))[WORLD.label]
    fitted = linear.logistic_regression(WORLD.x, target.astype(float), 30.0)
    for m in range(4):
        other = linear_model.LogisticRegression(C=30.0, tol=1e-8, max_iter=2_000)
        other.fit(WORLD.x, target[:, m])
        np.testing.assert_allclose(fitted.weight[:, m], other.coef_[0], atol=1e-5)
        np.testing.assert_allclose(fitted.bias[m], other.intercept_[0], atol=1e-5)


@pytest.mark.usefixtures('float64')
def test_a_fit_says_whether_it_has_converged(monkeypatch):
    assert linear.softmax_regression(WORLD.x, WORLD.label, 5, 30.0).converged
    monkeypatch.setattr(linear, 'STEPS', 1)
    assert not linear.softmax_regression(WORLD.x, WORLD.label, 5, 30.0).converged


def expected_attribute_scores(has, vectors, unseen, prior):
    """One example, one class, one attribute after another."""
    threshold, count = vectors.mean(0), len(vectors)
    scores = np.zeros((len(has), len(unseen)))
    for i, probability in enumerate(has):
        for c, vector in enumerate(unseen):
            for m, p in enumerate(probability):
                share = sum(v[m] > threshold[m] for v in vectors) / count
                if share in (0, 1):
                    continue
                share = share if prior == 'classes' else 0.5
                if vector[m] > threshold[m]:
                    scores[i, c] += np.log(p) - np.log(share)
                else:
                    scores[i, c] += np.log(1 - p) - np.log(1 - share)
    return scores


@pytest.mark.parametrize('prior', ['classes', 'half'])
def test_dap_adds_what_each_attribute_says(prior):
    constant = np.insert(WORLD.vectors, 2, 0.5, axis=1)  # all classes have the same
    unseen = np.insert(WORLD.unseen, 2, [0.2, 0.5, 0.8], axis=1)
    compiled = zero_shot.pipeline(zero_shot.dap(30.0, prior=prior))
    fitted = compiled.fit(KEY, WORLD.x, WORLD.label, constant)
    classifier = jax.tree.map(np.asarray, fitted.parameters.classifier)
    has = special.expit(WORLD.test_x @ classifier.weight + classifier.bias)
    result = compiled.scores(fitted, WORLD.test_x, unseen)
    expected = expected_attribute_scores(has, constant, unseen, prior)
    np.testing.assert_allclose(result, expected, rtol=1e-9)
    # An attribute of which nothing was learned has no say.
    other = unseen.copy()
    other[:, 2] = other[::-1, 2]
    np.testing.assert_array_equal(result, compiled.scores(fitted, WORLD.test_x, other))


@pytest.mark.usefixtures('float64')
@pytest.mark.parametrize('prior', ['classes', 'half'])
def test_iap_lets_the_classes_vote(prior):
    rng = np.random.default_rng(0)
    probability = special.softmax(rng.normal(size=(7, 5)), 1)
    binary = WORLD.vectors > WORLD.vectors.mean(0)
    has = [[sum(p[binary[:, m]]) for m in range(4)] for p in probability]
    result = zero_shot.iap_scores(probability, WORLD.vectors, WORLD.unseen, prior=prior)
    expected = expected_attribute_scores(has, WORLD.vectors, WORLD.unseen, prior)
    np.testing.assert_allclose(result, expected, rtol=1e-9)


@pytest.mark.usefixtures('float64')
def test_iap_is_finite_where_a_classifier_is_certain():
    certain = np.eye(5)
    result = zero_shot.iap_scores(certain, WORLD.vectors, WORLD.unseen, floor=1e-3)
    assert np.isfinite(result).all()


@pytest.mark.usefixtures('float64')
def test_thresholds_are_means_over_training_classes():
    vectors = np.array([[1.0, 0], [2, 0], [6, 0]])
    known = attributes.of_classes(vectors)
    np.testing.assert_allclose(known.threshold, [3, 0])
    np.testing.assert_allclose(known.prior, [1 / 3, 0], rtol=1e-6)
    np.testing.assert_array_equal(known.varies, [True, False])


@pytest.mark.usefixtures('float64')
@pytest.mark.parametrize('top, temperature', [(1, 1.0), (2, 1.0), (3, 4.0), (99, 0.5)])
def test_conse_is_the_mean_of_the_likeliest_classes(top, temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 5))
    how = {'top': top, 'temperature': temperature}
    result = zero_shot.conse_scores(logits, WORLD.vectors, WORLD.unseen, **how)
    for i, row in enumerate(special.softmax(logits / temperature, 1)):
        likeliest = sorted(range(5), key=lambda k: -row[k])[:top]
        mean = sum(row[k] * WORLD.vectors[k] for k in likeliest)
        for c, vector in enumerate(WORLD.unseen):
            cosine = mean @ vector / np.linalg.norm(mean) / np.linalg.norm(vector)
            assert abs(result[i, c] - cosine) < 1e-12


@pytest.mark.usefixtures('exact')
def test_sync_classifies_seen_classes_by_their_own_minimum():
    penalty, (n, d) = 1e-3, WORLD.x.shape
    compiled = zero_shot.pipeline(zero_shot.sync(penalty, 2.0))
    fitted = compiled.fit(KEY, *WORLD[:3])
    result = compiled.scores(fitted, np.eye(d), WORLD.vectors)
    for c in range(5):
        sign = np.where(WORLD.label == c, 1, -1)

        def loss(w, sign=sign):
            hinge = np.maximum(1 - sign * (WORLD.x @ w), 0)
            return np.sum(hinge**2) / (n * 5) + penalty / 2 * np.sum(w**2)

        least = optimize.minimize(loss, np.zeros(d), options={'gtol': 1e-10}).x
        np.testing.assert_allclose(result[:, c], least, atol=1e-4)


def test_sync_combines_base_classifiers_by_similarity():
    compiled = zero_shot.pipeline(zero_shot.sync(1e-3, 2.0))
    fitted = compiled.fit(KEY, *WORLD[:3])
    base = np.asarray(fitted.parameters.base)
    apart = [
        np.linalg.norm(a - b)
        for i, a in enumerate(WORLD.vectors)
        for b in WORLD.vectors[:i]
    ]
    expected = []
    for vector in WORLD.unseen:
        far = [np.linalg.norm(vector - b) / np.median(apart) for b in WORLD.vectors]
        weight = np.exp(-2 * np.square(far))
        expected.append(weight / weight.sum() @ base)
    result = compiled.scores(fitted, WORLD.test_x, WORLD.unseen)
    np.testing.assert_allclose(result, WORLD.test_x @ np.transpose(expected), rtol=1e-8)
