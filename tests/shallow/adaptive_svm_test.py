"""Adaptive SVM against a general solver of its objective, and limiting cases."""

import jax
import numpy as np
import pytest
from scipy import optimize
from sklearn.svm import LinearSVC

from transfer_jax import shallow
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.types import Samples

CLASSES = 3
KEY = jax.random.key(0)


def samples(seed, n=24, d=4, turn=1.0):
    rng = np.random.default_rng(seed)
    label = np.arange(n) % CLASSES
    centre = np.random.default_rng(9).normal(size=(CLASSES, d))
    x = turn * centre[label] + rng.normal(size=(n, d))
    return Samples(x.astype(np.float32), label, np.ones(n))


def adapted(source_cost, cost, source, target, labelled):
    made = shallow.pipeline(shallow.adaptive_svm(CLASSES, source_cost, cost))
    fitted = made.fit(KEY, source, target, labelled)
    return fitted.alignment, made.predict(fitted, {'x': target.x})['logits']


run = jax.jit(adapted)


def fit(source, target, labelled, source_cost=1.0, cost=1.0):
    fitted, logits = run(source_cost, cost, source, target, labelled)
    return jax.tree.map(np.asarray, fitted), np.asarray(logits)


def before(fitted, x):
    return np.asarray(shallow.linear_scores(fitted.source, x))


def first(whole, n=9):
    return jax.tree.map(lambda leaf: leaf[:n], whole)


def without(labelled, rows):
    return labelled._replace(mask=np.where(rows, 0.0, labelled.mask))


def smallest(x, margin, cost):
    """min 1/2 |w|^2 + C sum slack, margin + x w + slack >= 1, by a general QP."""
    n, d = x.shape
    cut = optimize.LinearConstraint(np.hstack([x, np.eye(n)]), 1 - margin, np.inf)
    result = optimize.minimize(
        lambda v: v[:d] @ v[:d] / 2 + cost * v[d:].sum(),
        np.concatenate([np.zeros(d), np.full(n, 9.0)]),
        jac=lambda v: np.concatenate([v[:d], np.full(n, cost)]),
        bounds=[(None, None)] * d + [(0, None)] * n,
        constraints=cut,
        method='SLSQP',
        options={'maxiter': 1_000, 'ftol': 1e-14},
    )
    return result.x[:d], result.fun


@pytest.mark.parametrize('cost', [0.05, 1.0, 20.0])
def test_the_correction_minimises_the_objective_of_the_paper(cost):
    source, target = samples(0), samples(1, turn=-0.5)
    labelled = first(target)
    fitted, result = fit(source, target, labelled, cost=cost)
    scores = before(fitted, labelled.x)
    for c in range(CLASSES):
        sign = np.where(labelled.label == c, 1, -1)
        x = np.c_[labelled.x, np.ones(9)] * sign[:, None]
        margin = sign * scores[:, c]
        w, objective = smallest(x, margin, cost)
        ours = np.append(fitted.weight[:, c], fitted.bias[c])
        value = ours @ ours / 2 + cost * np.maximum(1 - margin - x @ ours, 0).sum()
        assert value <= objective * (1 + 2e-6)
        np.testing.assert_allclose(ours, w, atol=2e-3 * np.abs(w).max())
        assert 0 <= fitted.gap[c] + 1e-12 and fitted.gap[c] <= 1e-6 * value


def test_scores_are_those_of_the_source_plus_the_correction():
    source, target = samples(0), samples(1, turn=-0.5)
    fitted, result = fit(source, target, first(target), source_cost=0.3)
    alone = LinearSVC(C=0.3, tol=1e-8, max_iter=100_000).fit(source.x, source.label)
    correction = target.x @ fitted.weight + fitted.bias
    expected = alone.decision_function(target.x) + correction
    np.testing.assert_allclose(result, expected, atol=5e-3)


def test_without_a_source_classifier_it_is_a_hinge_svm():
    source, target = samples(0), samples(1)
    source = source._replace(label=np.where(source.label == 2, 0, source.label))
    labelled = first(target)
    _, result = fit(source, target, labelled, cost=0.8)
    plain = LinearSVC(C=0.8, loss='hinge', tol=1e-9, max_iter=1_000_000)
    plain.fit(labelled.x, labelled.label == 2)
    expected = plain.decision_function(target.x)
    np.testing.assert_allclose(result[:, 2], expected, atol=2e-3)


def test_examples_beyond_the_margin_correct_nothing():
    apart = samples(0, d=3)
    apart = apart._replace(x=20 * np.eye(CLASSES, dtype=np.float32)[apart.label])
    target = apart._replace(x=1.5 * apart.x)
    fitted, _ = fit(apart, target, first(target))
    assert not fitted.weight.any() and not fitted.bias.any()


def test_a_small_cost_keeps_the_classifier_of_the_source():
    source, target = samples(0), samples(1, turn=-0.5)
    fitted, small_cost = fit(source, target, first(target), cost=1e-9)
    np.testing.assert_allclose(small_cost, before(fitted, target.x), atol=1e-6)
    _, large_cost = fit(source, target, first(target), cost=10.0)
    right = [np.mean(f.argmax(1) == target.label) for f in (small_cost, large_cost)]
    assert right[1] > right[0] + 0.2


def test_unlabelled_examples_padding_and_order_do_not_matter():
    source, target = samples(0), samples(1, turn=-0.5)
    here = np.arange(24)
    whole = target._replace(label=np.where(here < 9, target.label, -1))
    other = Samples(
        np.where(here[:, None] < 9, target.x, 1e30),
        np.where(here < 20, whole.label, 1),
        (here < 20).astype(float),
    )
    order = np.random.default_rng(2).permutation(24)
    mixed = jax.tree.map(lambda leaf: leaf[order], other)
    align = jax.jit(shallow.adaptive_svm(CLASSES).fit)
    with jax.enable_x64(True):
        one, two = align(KEY, source, whole), align(KEY, source, mixed)
    np.testing.assert_allclose(one.weight, two.weight, atol=2e-3)
    assert np.abs(one.weight).max() > 0.1


def test_a_class_without_labelled_target_examples_keeps_its_classifier():
    source, target = samples(0), samples(1, turn=-0.5)
    labelled = first(target)
    fitted, result = fit(source, target, without(labelled, labelled.label == 1))
    scores = before(fitted, target.x)
    np.testing.assert_allclose(result[:, 1], scores[:, 1], rtol=1e-5)
    assert np.abs(result[:, 0] - scores[:, 0]).max() > 0.1


def test_a_class_of_neither_domain_is_never_predicted():
    source, target = (
        s._replace(label=np.where(s.label == 1, 2, s.label))
        for s in (samples(0), samples(1))
    )
    _, result = fit(source, target, first(target))
    assert (result[:, 1] <= ABSENT_LOGIT).all() and np.isfinite(result).all()
    assert set(result.argmax(1)) == {0, 2}


def test_one_labelled_example_and_copies_of_it_are_enough():
    source, target = samples(0), samples(1, turn=-0.5)
    copies = jax.tree.map(lambda leaf: leaf[[4] * 9], target)
    for labelled in (without(first(target), np.arange(9) != 4), copies):
        fitted, result = fit(source, target, labelled)
        assert np.isfinite(result).all() and (fitted.gap < 1e-5).all()
        assert fitted.weight.any()


def test_vmap_over_costs_gives_what_single_fits_give():
    source, target = samples(0), samples(1, turn=-0.5)
    costs, rest = np.array([0.1, 5.0]), (source, target, first(target))
    together = jax.jit(jax.vmap(adapted, (None, 0, None, None, None)))
    together = together(1.0, costs, *rest)[1]
    single = [fit(*rest, cost=cost)[1] for cost in costs]
    np.testing.assert_allclose(together, single, atol=2e-3)


def test_it_needs_labels_of_the_target_and_positive_costs():
    with pytest.raises(ValueError, match='target_labelled'):
        made = shallow.pipeline(shallow.adaptive_svm(CLASSES))
        made.fit(KEY, samples(0), samples(1))
    with pytest.raises(ValueError, match='cost 0'):
        shallow.adaptive_svm(CLASSES, cost=0)
    with pytest.raises(ValueError, match='source_cost -1'):
        shallow.adaptive_svm(CLASSES, source_cost=-1)
