"""Kernel SVMs: optimality conditions, scikit-learn, and rows that do not count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.svm import SVC

from transfer_jax import ops, shallow
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.types import Samples

CLASSES = 3
KEY = jax.random.key(0)
KERNELS = {
    'linear': ops.linear_kernel,
    'gaussian': ops.gaussian_kernel(jnp.array([1.0, 8.0])),
    'median': None,
}


def samples(seed=0, n=36, d=4):
    rng = np.random.default_rng(seed)
    label = np.arange(n) % CLASSES
    centre = np.random.default_rng(9).normal(size=(CLASSES, d))
    return Samples(centre[label] + rng.normal(size=(n, d)), label, np.ones(n))


def fitted(source, weights=None, **options):
    return shallow.kernel_svm(CLASSES, **options).fit(KEY, source, weights)


def logits(machine, x, **options):
    return np.asarray(shallow.kernel_svm(CLASSES, **options).logits(machine, x))


@pytest.mark.parametrize('kernel', KERNELS)
def test_the_conditions_of_optimality_hold(kernel):
    source, options = samples(), {'kernel': KERNELS[kernel], 'cost': 0.7}
    weights = np.random.default_rng(1).uniform(0.5, 2, 36)
    machine = fitted(source, weights, **options)
    f = logits(machine, source.x, **options)
    row = [np.flatnonzero((source.x == x).all(1))[0] for x in np.asarray(machine.x)]
    for c in range(CLASSES):
        sign = np.where(source.label == c, 1, -1)
        multiplier = np.zeros(36)
        multiplier[row] = np.asarray(machine.coefficient)[:, c]
        multiplier *= sign
        bound, margin = 0.7 * weights, sign * f[:, c]
        assert abs(np.sum(sign * multiplier)) < 1e-9
        assert (multiplier >= 0).all() and (multiplier <= bound + 1e-9).all()
        assert (margin[multiplier < 1e-9] > 1 - 1e-4).all()
        assert (margin[multiplier > bound - 1e-9] < 1 + 1e-4).all()
        inside = (multiplier > 1e-9) & (multiplier < bound - 1e-9)
        np.testing.assert_allclose(margin[inside], 1, atol=1e-4)


def test_two_classes_give_what_scikit_learn_gives():
    source, new = samples(), samples(1)
    two = source._replace(label=source.label % 2)
    classify = shallow.kernel_svm(2, kernel=ops.gaussian_kernel([4.0]), cost=2.0)
    result = jax.jit(classify.logits)(classify.fit(KEY, two, None), new.x)
    theirs = SVC(C=2.0, gamma=1 / 8, tol=1e-6).fit(two.x, two.label)
    np.testing.assert_allclose(
        np.asarray(result)[:, 1], theirs.decision_function(new.x), atol=1e-4
    )
    np.testing.assert_allclose(result[:, 0], -result[:, 1], atol=1e-4)


def test_the_kernel_of_none_has_the_median_width_of_what_counts():
    source = samples()
    wide = source._replace(label=np.where(np.arange(36) < 9, -1, source.label))
    machine = fitted(wide)
    squares = ((wide.x[9:, None] - wide.x[9:]) ** 2).sum(2)
    pairs = np.sort(squares[np.triu_indices(27, 1)])
    np.testing.assert_allclose(machine.variance, pairs[(len(pairs) - 1) // 2] / 2)


@pytest.mark.parametrize('kernel', KERNELS)
def test_what_does_not_count_changes_no_bit(kernel, same_bits):
    source, options = samples(), {'kernel': KERNELS[kernel]}
    weights = np.ones(36)
    plain = fitted(source, weights, **options)
    more = Samples(
        np.concatenate([source.x, np.full((3, 4), 50.0)]),
        np.concatenate([source.label, [0, -1, 1]]),
        np.concatenate([source.mask, [0, 1, 1]]),
    )
    same_bits(plain, fitted(more, np.append(weights, [1, 1, 0]), **options))


def test_a_weight_of_two_is_an_example_twice():
    source, new = samples(), samples(1)
    twice = jax.tree.map(lambda leaf: np.concatenate([leaf, leaf[:6]]), source)
    weights = np.where(np.arange(36) < 6, 2.0, 1.0)
    options = {'kernel': ops.linear_kernel}
    one = logits(fitted(source, weights, **options), new.x, **options)
    two = logits(fitted(twice, **options), new.x, **options)
    np.testing.assert_allclose(one, two, atol=1e-3)
    plain = logits(fitted(source, **options), new.x, **options)
    assert np.abs(one - plain).max() > 0.01


def test_a_class_without_examples_is_never_predicted():
    source = samples()
    gone = source._replace(label=np.where(source.label == 1, 2, source.label))
    result = logits(fitted(gone), samples(1).x)
    assert (result[:, 1] <= ABSENT_LOGIT).all()
    assert set(result.argmax(1)) == {0, 2}


def test_one_class_alone_is_always_predicted():
    source = samples()._replace(label=np.full(36, 2))
    result = logits(fitted(source), samples(1).x)
    assert (result.argmax(1) == 2).all() and (result[:, 2] == 1).all()


@pytest.mark.parametrize('kernel', ['linear', 'gaussian'])
def test_one_vs_one_votes_as_scikit_learn_does(kernel):
    source, new = samples(), samples(3, n=60)
    options = {'kernel': KERNELS[kernel], 'cost': 2.0, 'one_vs_one': True}
    machine = fitted(source, **options)
    assert machine.coefficient.shape[1] == 3
    result = logits(machine, new.x, **options)
    assert (result.sum(1) == 3).all()
    gram = np.asarray(KERNELS[kernel](source.x, source.x))
    theirs = SVC(C=2.0, kernel='precomputed', tol=1e-6).fit(gram, source.label)
    np.testing.assert_array_equal(
        result.argmax(1), theirs.predict(np.asarray(KERNELS[kernel](new.x, source.x)))
    )


@pytest.mark.parametrize('present', [(0,), (2,), (0, 2)])
def test_one_vs_one_predicts_no_class_that_is_absent(present):
    source = samples()
    mask = np.isin(source.label, present).astype(float)
    options = {'kernel': ops.linear_kernel, 'one_vs_one': True}
    machine = fitted(source._replace(mask=mask), **options)
    result = logits(machine, samples(3, n=60).x, **options)
    assert set(result.argmax(1)) <= set(present)


def test_it_trains_on_what_a_pipeline_adapts():
    source, target = samples(), samples(1)
    made = shallow.pipeline(shallow.none(), shallow.kernel_svm(CLASSES))
    result = made.predict(made.fit(KEY, source, target), {'x': target.x})
    assert np.mean(result['logits'].argmax(1) == target.label) > 0.6
    assert result['logits'].dtype == np.float32


def test_invalid_values_are_refused():
    with pytest.raises(ValueError, match='cost 0'):
        shallow.kernel_svm(CLASSES, cost=0)
    with pytest.raises(ValueError, match='weights: 2 are below 0'):
        fitted(samples(), np.where(np.arange(36) < 2, -1.0, 1.0))
    with pytest.raises(ValueError, match='no labelled examples'):
        fitted(samples(), np.zeros(36))
