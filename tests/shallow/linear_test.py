"""Linear probes against scikit-learn, and which examples count."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import linear_model, svm

from transfer_jax import shallow
from transfer_jax.shallow import newton
from transfer_jax.types import Samples

CLASSES = 3
COSTS = (1e-4, 1e-2, 1.0, 1e2, 1e4)
KEY = jax.random.key(0)
MADE = {'svm': shallow.linear_svm, 'softmax': shallow.softmax_regression}
SHAPES = {'wide': (30, 50), 'tall': (90, 6)}


def samples(n, d, seed=0, scale='standard'):
    rng = np.random.default_rng(seed)
    label = np.arange(n, dtype=np.int32) % CLASSES
    x = rng.normal(0, 1, (n, d)) * np.linspace(3, 0.1, d) + 2
    x[:, :CLASSES] += np.eye(CLASSES)[label]
    if scale == 'standard':
        x = (x - x.mean(0)) / x.std(0)
    else:
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return Samples(x, label, np.ones(n))


def svm_objective(weight, bias, cost, data, s=1.0):
    sign = 2 * np.eye(CLASSES)[data.label] - 1
    lack = np.maximum(1 - sign * (data.x @ weight + bias), 0)
    loss = np.sum(s * np.sum(lack**2, 1))
    return 0.5 * np.sum(weight**2) + 0.5 * np.sum(bias**2) + cost * loss


def softmax_objective(weight, bias, cost, data, s=1.0):
    scores = data.x @ weight + bias
    scores = scores - scores.max(1, keepdims=True)
    right = scores[np.arange(len(scores)), data.label]
    loss = np.sum(s * (np.log(np.exp(scores).sum(1)) - right))
    return 0.5 * np.sum(weight**2) + cost * loss


OBJECTIVE = {'svm': svm_objective, 'softmax': softmax_objective}


def sklearn(kind, cost, data, s=None):
    if kind == 'svm':
        result = svm.LinearSVC(C=cost, tol=1e-9, max_iter=300_000, random_state=0)
    else:
        result = linear_model.LogisticRegression(C=cost, tol=1e-8, max_iter=20_000)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # it says itself where it stops early
        result.fit(data.x, data.label, sample_weight=s)
    return result.coef_.T, result.intercept_


@pytest.mark.parametrize('scale', ['standard', 'unit'])
@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('kind', MADE)
def test_the_objective_is_that_of_scikit_learn_over_the_whole_path(kind, shape, scale):
    data = samples(*SHAPES[shape], scale=scale)
    result = shallow.linear_path(kind, CLASSES, COSTS)(data)
    assert result.weight.dtype == jnp.float64
    assert np.asarray(result.converged).all()
    for i, cost in enumerate(COSTS):
        weight, bias = np.asarray(result.weight[i]), np.asarray(result.bias[i])
        mine = OBJECTIVE[kind](weight, bias, cost, data)
        np.testing.assert_allclose(mine, result.objective[i], rtol=1e-8)
        other, beside = sklearn(kind, cost, data)
        theirs = OBJECTIVE[kind](other, beside, cost, data)
        assert mine <= theirs * (1 + 2e-6), cost  # nobody is below the minimum
        if theirs < mine * (1 + 1e-3):  # scikit-learn has converged as well
            scores = data.x @ weight + bias, data.x @ other + beside
            gap = np.abs(scores[0] - scores[1]).max()
            assert gap < 0.05 * np.abs(scores[1]).max()
        if cost <= 1:
            np.testing.assert_allclose(mine, theirs, rtol=1e-4)


@pytest.mark.parametrize('kind', MADE)
def test_one_cost_gives_what_the_path_gives(kind):
    data = samples(24, 5)
    path = shallow.linear_path(kind, CLASSES, COSTS)(data)
    for i in (0, 4):
        made = MADE[kind](CLASSES, COSTS[i])
        fitted = jax.jit(made.fit)(KEY, data, None)
        assert fitted.converged
        np.testing.assert_allclose(fitted.objective, path.objective[i], rtol=2e-6)
        one = made.logits(fitted, data.x)
        many = shallow.linear_scores(path, data.x)[i]
        np.testing.assert_allclose(one, many, atol=0.02)


@pytest.mark.parametrize('kind', MADE)
def test_weights_stand_for_repeated_examples(kind):
    data = samples(24, 5)
    times = np.random.default_rng(1).integers(1, 4, 24)
    repeated = Samples(
        np.repeat(data.x, times, 0), np.repeat(data.label, times), np.ones(times.sum())
    )
    made = MADE[kind](CLASSES, 0.7)
    weighted = made.fit(KEY, data, np.float64(times))
    whole = made.fit(KEY, repeated, None)
    np.testing.assert_allclose(weighted.objective, whole.objective, rtol=2e-6)
    np.testing.assert_allclose(weighted.weight, whole.weight, atol=2e-3)


@pytest.mark.parametrize('kind', MADE)
def test_padding_and_unlabelled_examples_do_not_count(kind):
    data = samples(24, 5)
    filled = Samples(
        np.concatenate([data.x, np.full((6, 5), 100.0)]),
        np.concatenate([data.label, [0, 0, 0, -1, -1, -1]]),
        np.concatenate([data.mask, [0, 0, 0, 1, 1, 0]]),
    )
    made = MADE[kind](CLASSES, 10.0)
    one, two = (made.fit(KEY, given, None) for given in (data, filled))
    np.testing.assert_allclose(one.objective, two.objective, rtol=2e-6)
    np.testing.assert_allclose(one.weight, two.weight, atol=5e-3)


@pytest.mark.parametrize('kind', MADE)
def test_a_class_without_examples_is_never_predicted(kind):
    data = samples(24, 5)
    with_absent = MADE[kind](CLASSES + 2).fit(KEY, data, None)
    without = MADE[kind](CLASSES).fit(KEY, data, None)
    assert with_absent.converged
    np.testing.assert_allclose(with_absent.objective, without.objective, rtol=1e-6)
    scores = np.asarray(shallow.linear_scores(with_absent, 100 * data.x))
    assert scores.argmax(1).max() < CLASSES and np.isfinite(scores).all()


@pytest.mark.parametrize('kind', MADE)
def test_jit_and_vmap_over_draws_give_what_single_fits_give(kind):
    draws = [samples(24, 5, seed) for seed in range(3)]
    stacked = jax.tree.map(lambda *rows: np.stack(rows), *draws)
    fit = shallow.linear_path(kind, CLASSES, (0.1, 10.0))
    together = jax.jit(jax.vmap(fit))(stacked)
    single = [fit(draw).objective for draw in draws]
    np.testing.assert_allclose(together.objective, single, rtol=2e-6)


def test_too_few_steps_are_not_called_converged(monkeypatch):
    monkeypatch.setattr(newton, 'NEWTON_STEPS', 1)
    # A new shape, because compiled programs are cached.
    result = shallow.linear_path('softmax', CLASSES, (10.0,))(samples(31, 12))
    assert not result.converged[0]


@pytest.mark.parametrize('cost', [0.0, -1.0, float('nan')])
def test_a_cost_that_is_not_positive_is_refused(cost):
    for made in MADE.values():
        with pytest.raises(ValueError, match='cost .*: must be positive'):
            made(CLASSES, cost)
    with pytest.raises(ValueError, match='must be positive'):
        shallow.linear_path('svm', CLASSES, (1.0, cost))


def test_an_unknown_kind_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="'ridge'; choose from svm, softmax"):
        shallow.linear_path('ridge', CLASSES, COSTS)
