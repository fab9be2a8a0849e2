"""JDOT: decreasing objective, minimal classifier, degenerate inputs."""

import functools

import jax
import numpy as np
import pytest
from scipy import optimize

from transfer_jax import shallow
from transfer_jax.types import Samples

CLASSES = 3


def pair(n=18, m=15, d=3, shift=0.5):
    rng = np.random.default_rng(0)

    def draw(count, move):
        label = np.arange(count) % CLASSES
        x = rng.normal(size=(count, d)) + move
        x[:, 0] += 3 * label
        return Samples(x, label, np.ones(count))

    return draw(n, 0.0), draw(m, shift)


def fit(align, source, target):
    with jax.enable_x64(True):
        target = target._replace(label=np.full_like(target.label, -1))
        result = jax.jit(functools.partial(align.fit, None))(source, target)
        return jax.tree.map(np.asarray, result)


def test_one_step_is_the_classifier_of_the_transported_labels():
    source, target = pair(12, 12)
    result = fit(shallow.jdot(CLASSES, cost=0.3, iterations=1), source, target)
    cost = ((source.x[:, None] - target.x) ** 2).sum(-1)
    match = optimize.linear_sum_assignment(cost)[1]  # equal sizes: a permutation
    label = np.empty(12, int)
    label[match] = source.label
    sign = 2 * np.eye(CLASSES)[label] - 1
    z = np.c_[target.x, np.ones(12)]

    def objective(w):
        w = w.reshape(4, CLASSES)
        lack = np.maximum(1 - sign * (z @ w), 0)
        return 0.5 * np.sum(w**2) + 0.3 * np.sum(lack**2)

    best = optimize.minimize(objective, np.zeros(12), tol=1e-12)
    ours = np.vstack([result.weight, result.bias])
    np.testing.assert_allclose(ours, best.x.reshape(4, CLASSES), atol=1e-4)
    assert objective(ours.ravel()) <= best.fun + 1e-9


def whole_objective(result, source, target, feature_weight, cost):
    """The objective of the best plan for this classifier; equal sizes."""
    distance = ((source.x[:, None] - target.x) ** 2).sum(-1)
    scores = target.x @ result.weight + result.bias
    sign = 2 * np.eye(CLASSES)[source.label] - 1
    loss = np.maximum(1 - sign[:, None] * scores, 0) ** 2
    total = feature_weight * distance / distance.max() + loss.sum(-1)
    rows, columns = optimize.linear_sum_assignment(total)
    size = np.sum(result.weight**2) + np.sum(result.bias**2)
    return total[rows, columns].mean() + size / (2 * cost * len(rows))


def test_alternation_lowers_the_objective_until_the_plan_stays():
    source, target = pair(15, 15, shift=1.5)
    values = []
    for iterations in (1, 2, 20):
        align = shallow.jdot(CLASSES, 0.1, iterations=iterations)
        result = fit(align, source, target)
        values.append(whole_objective(result, source, target, 0.1, 1.0))
    assert values[0] > values[1] - 1e-12 and values[1] >= values[2] - 1e-9
    assert values[0] > values[2] + 1e-3
    assert result.iterations < 20 and result.change < 1e-9


def test_unlabelled_examples_and_absent_classes_are_never_predicted():
    source, target = pair()
    label = np.where(source.label == 1, -1, source.label)
    for loss in ('squared_hinge', 'cross_entropy'):
        align = shallow.jdot(CLASSES, loss=loss, iterations=2, regularisation=0.05)
        result = fit(align, source._replace(label=label), target)
        logits = np.asarray(align.predict(result, target.x))
        assert np.isfinite(logits).all()
        assert set(logits.argmax(1)) <= {0, 2}


def test_padding_changes_nothing():
    source, target = pair()

    def padded(whole, value):
        more = Samples(np.full((4, 3), value), np.zeros(4, int), np.zeros(4))
        return Samples(*(np.concatenate(p) for p in zip(whole, more, strict=True)))

    align = shallow.jdot(CLASSES, iterations=2, regularisation=0.05)
    plain = fit(align, source, target)
    wide = fit(align, padded(source, 1e3), padded(target, -1e3))
    np.testing.assert_allclose(wide.weight, plain.weight, atol=1e-5)


def test_one_target_example_gets_a_finite_prediction():
    source, target = pair()
    one = jax.tree.map(lambda leaf: leaf[:1], target)
    align = shallow.jdot(CLASSES, iterations=2)
    logits = align.predict(fit(align, source, one), one.x)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(
    ('arguments', 'match'),
    [
        ({'loss': 'hinge'}, 'squared_hinge'),
        ({'cost': 0.0}, 'cost'),
        ({'feature_weight': -1.0}, 'feature_weight'),
    ],
)
def test_parameters_that_cannot_be_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        shallow.jdot(CLASSES, **arguments)
