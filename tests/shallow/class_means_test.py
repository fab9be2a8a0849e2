"""Classifiers by class means, scaling, and the choice of a cost by folds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.types import Samples

KEY = jax.random.key(0)
X = np.float32([[0, 0], [2, 0], [5, 5], [9, 9], [np.nan, 1], [7, 7]])
LABEL = np.array([0, 0, 2, -1, 1, 2])
MASK = np.float32([1, 1, 1, 1, 0, 1])
DATA = Samples(X, LABEL, MASK)


def test_the_nearest_mean_by_hand():
    made = shallow.nearest_class_mean(3)
    fitted = jax.jit(made.fit)(KEY, DATA, None)
    np.testing.assert_allclose(fitted.mean, [[1, 0], [0, 0], [6, 6]])
    result = np.asarray(made.logits(fitted, np.float32([[1, 1], [6, 5]])))
    np.testing.assert_allclose(result[:, [0, 2]], [[-1, -50], [-50, -1]], rtol=1e-5)
    assert result.argmax(1).tolist() == [0, 2]  # the class without examples never
    heavy = made.fit(KEY, DATA, jnp.array([1.0, 3, 1, 1, 1, 1]))
    np.testing.assert_allclose(heavy.mean[0], [1.5, 0])


def test_prototypes_are_cosines_of_centred_directions():
    made = shallow.prototypes(3)
    fitted = jax.jit(made.fit)(KEY, DATA, None)
    rows = X[[0, 1, 2, 5]]
    centre = rows.mean(0)
    unit = (rows - centre) / np.linalg.norm(rows - centre, axis=1, keepdims=True)
    means = np.stack([unit[:2].mean(0), unit[2:].mean(0)])
    query = np.float32([[4, 1], [20, 30]])
    cosine = (query - centre) @ means.T
    cosine /= np.linalg.norm(query - centre, axis=1, keepdims=True)
    cosine /= np.linalg.norm(means, axis=1)
    result = np.asarray(made.logits(fitted, query))
    np.testing.assert_allclose(result[:, [0, 2]], cosine, rtol=1e-5)
    assert (result[:, 1] < -1e30).all()


def test_scaling_uses_the_examples_that_count():
    data = Samples(np.float32([[1, 5], [3, 5], [99, 0]]), LABEL[:3], MASK[[0, 0, 4]])
    fitted = jax.jit(shallow.fit_scaling)(data)
    result = shallow.standardise(fitted, np.float32([[1, 5], [5, 6]]))
    np.testing.assert_allclose(result, [[-1, 0], [3, 1]], rtol=1e-6)


def test_folds_are_stratified():
    label = np.repeat(np.arange(4), [7, 11, 3, 9])
    label[-2:] = -1
    data = Samples(np.zeros((30, 1)), label, np.ones(30))
    fold = np.asarray(shallow.stratified_folds(KEY, data, 3))
    assert (fold[-2:] == -1).all()
    sizes = np.bincount(fold[:-2])
    assert len(sizes) == 3 and np.ptp(sizes) <= 1
    for c in range(4):
        assert np.ptp(np.bincount(fold[label == c], minlength=3)) <= 1
    other = shallow.stratified_folds(jax.random.key(1), data, 3)
    assert (np.asarray(other) != fold).any()
    with pytest.raises(ValueError, match='31 folds of 30 examples'):
        shallow.stratified_folds(KEY, data, 31)


def test_the_cost_is_chosen_on_held_out_examples():
    # Wide noise with a faint signal: high costs fit the noise, and a probe that was
    # scored on its training examples would reach 1 with them.
    rng = np.random.default_rng(0)
    label = np.arange(60, dtype=np.int32) % 2
    x = rng.normal(size=(60, 40)) + 0.35 * np.where(label, 1, -1)[:, None]
    x[:, 5:] = rng.normal(size=(60, 35))
    costs = (1e-3, 1e-1, 1e1)
    result = shallow.choose_cost(
        KEY,
        Samples(x, label, np.ones(60)),
        kind='softmax',
        classes=2,
        costs=costs,
        folds=4,
    )
    accuracy = np.asarray(result.accuracy)
    assert accuracy.shape == (3,) and accuracy.max() < 0.95
    assert float(result.cost) == pytest.approx(costs[accuracy.argmax()])
    fold = np.asarray(shallow.stratified_folds(KEY, Samples(x, label, np.ones(60)), 4))
    right = 0
    for k in range(4):
        part = Samples(x, label, (fold != k).astype(float))
        fitted = shallow.linear_path('softmax', 2, costs, tolerance=1e-3)(part)
        answer = np.asarray(shallow.linear_scores(fitted, x[fold == k])).argmax(-1)
        right = right + (answer == label[fold == k]).sum(-1)
    np.testing.assert_allclose(accuracy, right / 60)
