"""ITML against the conditions of its optimum and a case by hand."""

import importlib

import jax
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.types import Samples

itml = importlib.import_module('transfer_jax.shallow.itml')  # not the function


def samples(seed, n, d, classes=3, shift=0.0, unlabelled=0):
    rng = np.random.default_rng(seed)
    label = np.arange(n) % classes
    x = rng.normal(size=(n, d)) + 2 * np.eye(classes, d)[label] + shift
    label[n - unlabelled :] = -1
    return Samples(x, label, np.ones(n))


def fitted(source, target, constraints, gamma=1.0, **options):
    align = shallow.itml(constraints, gamma, **options)
    with jax.enable_x64(True):
        result = jax.jit(align.fit)(
            jax.random.key(1),
            jax.tree.map(np.asarray, source),
            jax.tree.map(np.asarray, target),
        )
    return jax.tree.map(np.asarray, result)


def logdet(a):
    return np.trace(a) - np.linalg.slogdet(a)[1] - len(a)


@pytest.mark.parametrize('d', [4, 40])  # the metric itself, and the kernel matrix
def test_the_conditions_of_the_optimum_hold(d):
    source, target = samples(0, 12, d), samples(1, 9, d, shift=0.5, unlabelled=3)
    gamma = 0.7
    result = fitted(source, target, 40, gamma, sweeps=3000, tolerance=1e-10)
    x = np.concatenate([source.x, target.x])
    v = x[result.pair[:, 0]] - x[result.pair[:, 1]]
    metric = result.factor @ result.factor.T
    distance = np.einsum('md,de,me->m', v, metric, v)
    signed = result.sign * result.multiplier

    assert (result.sign != 0).all() and (result.multiplier > 1e-6).any()
    # Stationary in A and in the slack, feasible, and complementary.
    inverse = np.eye(d) + v.T @ (signed[:, None] * v)
    np.testing.assert_allclose(np.linalg.inv(metric), inverse, atol=1e-8)
    first = np.where(result.sign > 0, *result.bounds)
    np.testing.assert_allclose(1 / result.slack, 1 / first - signed / gamma, rtol=1e-8)
    assert (result.sign * (distance - result.slack) < 1e-6 * result.slack).all()
    assert (result.multiplier >= 0).all()
    held = result.multiplier * (distance - result.slack)
    np.testing.assert_allclose(held, 0, atol=1e-6)
    assert np.linalg.eigvalsh(metric).min() > 0

    # Strong duality: the objective equals that of the dual.
    ratio = result.slack / first
    primal = logdet(metric) + gamma * np.sum(ratio - np.log(ratio) - 1)
    dual = np.linalg.slogdet(inverse)[1] + gamma * np.sum(
        np.log1p(-signed / gamma * first)
    )
    np.testing.assert_allclose(primal, dual, rtol=1e-5)
    assert primal > 0.01


def test_one_pair_by_hand():
    # A number a, one similar pair at distance 2, u = l = 4: nothing to do with u alone,
    source = Samples(np.array([[0.0], [0.0]]), np.array([0, 0]), np.ones(2))
    target = Samples(np.array([[2.0]]), np.array([0]), np.ones(1))
    assert fitted(source, target, 1).factor == pytest.approx(1)
    # with pairs at distances 1 (similar) and 3 (not), u = 1.4, l = 8.6 by percentiles:
    # both pairs want the larger a with 9 a = xi, 1 / xi = 1 / 8.6 + t / gamma and
    # 1 / a = 1 - 9 t, as long as a <= 1.4 / 1 for the similar one.
    source = Samples(np.array([[0.0], [3.0]]), np.array([0, 1]), np.ones(2))
    target = Samples(np.array([[3.0]]), np.array([1]), np.ones(1))
    source = source._replace(x=np.array([[0.0], [2.0]]))
    result = fitted(source, target, 64, 2.0, sweeps=4000, tolerance=1e-12)
    a = result.factor.item() ** 2
    near, far = result.sign > 0, result.sign < 0
    assert near.any() and far.any()
    expected = _by_hand(near.sum(), far.sum(), 1.0, 9.0, result.bounds, 2.0)
    assert a == pytest.approx(expected, rel=1e-4)


def _by_hand(near, far, small, large, bounds, gamma):
    """The minimum over a of the objective with the best slack for each a."""
    a = np.linspace(0.5, 1.5, 200_001)

    def price(xi):
        return xi - np.log(xi) - 1

    similar = price(np.maximum(a * small / bounds[0], 1))
    others = price(np.minimum(a * large / bounds[1], 1))
    return a[np.argmin(price(a) + gamma * (near * similar + far * others))]


def test_pairs_are_of_labelled_examples_across_domains():
    source, target = samples(0, 12, 4), samples(1, 20, 4, unlabelled=14)
    result = fitted(source, target, 200, sweeps=1)
    assert set(result.pair[:, 0]) == set(range(12))
    assert set(result.pair[:, 1]) == set(range(12, 18))
    label = np.concatenate([source.label, target.label])
    same = label[result.pair[:, 0]] == label[result.pair[:, 1]]
    np.testing.assert_array_equal(result.sign, np.where(same, 1, -1))
    both = fitted(source, target, 200, sweeps=1, across=False)
    assert set(both.pair.ravel()) == set(range(18))
    equal = both.pair[:, 0] == both.pair[:, 1]
    np.testing.assert_array_equal(both.sign == 0, equal)


def test_bounds_are_percentiles_of_the_pairs():
    source, target = samples(0, 12, 4), samples(1, 9, 4)
    result = fitted(source, target, 50, sweeps=1)
    x = np.concatenate([source.x, target.x])
    squared = np.sum((x[result.pair[:, 0]] - x[result.pair[:, 1]]) ** 2, 1)
    expected = np.percentile(squared, [5, 95])
    np.testing.assert_allclose(result.bounds, expected, rtol=1e-12)


@pytest.mark.parametrize('few', [2, 6, 128])  # the labelled ones fit in or not
def test_padding_and_unlabelled_examples_change_nothing(monkeypatch, few):
    monkeypatch.setattr(itml, 'FEW', few)
    source, target = samples(0, 12, 4), samples(1, 9, 4)
    plain = fitted(source, target, 50)
    wide = jax.tree.map(lambda leaf: np.concatenate([leaf, leaf[:3]]), source)
    wide.mask[12:] = 0
    wide.x[12:] = 1e6
    more = jax.tree.map(lambda leaf: np.concatenate([leaf, leaf[:4]]), target)
    more.label[9:] = -1
    np.testing.assert_allclose(fitted(wide, more, 50).factor, plain.factor, rtol=1e-9)


def test_it_separates_classes_that_noise_hides():
    rng = np.random.default_rng(0)

    def noisy(n, shift):
        label = np.arange(n) % 2
        x = rng.normal(size=(n, 6)) * [0.3, 2, 2, 2, 2, 2] + shift
        x[:, 0] += 1.5 * label
        return Samples(x, label, np.ones(n))

    source, labelled, target = noisy(40, 0), noisy(10, 0.1), noisy(100, 0.1)
    hits = []
    for align in (shallow.none(), shallow.itml(400)):
        made = shallow.pipeline(align, shallow.nearest_neighbour(2))
        given = made.fit(jax.random.key(0), source, target, labelled)
        guess = np.argmax(made.predict(given, {'x': target.x})['logits'], 1)
        hits.append(np.mean(guess == target.label))
    assert hits[0] < 0.7 and hits[1] > 0.9


def test_equal_rows_are_a_defined_result():
    source, target = samples(0, 6, 3), samples(1, 3, 3)
    source, target = (s._replace(x=np.ones_like(s.x)) for s in (source, target))
    np.testing.assert_array_equal(fitted(source, target, 8).factor, np.eye(3))


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match='gamma 0'):
        shallow.itml(10, 0)
    with pytest.raises(ValueError, match='constraints 0'):
        shallow.itml(0)
    made = shallow.pipeline(shallow.itml(10), shallow.nearest_neighbour(3))
    with pytest.raises(ValueError, match='labelled target'):
        made.fit(jax.random.key(0), samples(0, 6, 3), samples(1, 3, 3))
