"""NBNN against loops, and the steps of its adaptation against NumPy."""

import importlib

import jax
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.shallow import curation
from transfer_jax.types import Samples

nbnn = importlib.import_module('transfer_jax.shallow.nbnn')  # not the function
da_nbnn = importlib.import_module('transfer_jax.shallow.da_nbnn')
CLASSES = 3
KEY = jax.random.key(0)


def images(seed, n, m=1, k=5, shift=0.0):
    """(n, m * k): images of m descriptors around the centre of their class."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % CLASSES
    x = rng.normal(size=(n, m, k)) + 1.5 * np.eye(CLASSES, k)[label][:, None] + shift
    return Samples(x.reshape(n, m * k), label, np.ones(n))


def by_loops(x, support, label, m):
    """-(distance to each class), (n, c)."""
    answers = []
    for image in x.reshape(len(x), m, -1):
        row = []
        for c in range(CLASSES):
            pool = support[label == c].reshape(-1, image.shape[1])
            row.append(sum(np.min(np.sum((pool - d) ** 2, 1)) for d in image))
        answers.append(row)
    return -np.array(answers)


def logits(align, source, target, labelled=None, x=None):
    made = shallow.pipeline(align)
    fitted = made.fit(KEY, source, target, labelled)
    x = target.x if x is None else x
    return np.asarray(made.predict(fitted, {'x': x})['logits']), fitted.alignment


@pytest.mark.parametrize('m', [1, 4])
def test_distances_are_those_of_loops(m, monkeypatch):
    monkeypatch.setattr(nbnn, 'ENTRIES', 800)  # several blocks of images
    source, target, labelled = (images(i, n, m) for i, n in ((0, 9), (1, 11), (2, 4)))
    result, _ = logits(shallow.nbnn(CLASSES, m), source, target, labelled)
    support = np.concatenate([source.x, labelled.x])
    label = np.concatenate([source.label, labelled.label])
    expected = by_loops(target.x, support, label, m)
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_the_order_of_descriptors_does_not_matter():
    source, target = images(0, 9, 4), images(1, 11, 4)
    turned = target.x.reshape(11, 4, 5)[:, ::-1].reshape(11, 20)
    plain, _ = logits(shallow.nbnn(CLASSES, 4), source, target)
    result, _ = logits(shallow.nbnn(CLASSES, 4), source, target, x=turned)
    np.testing.assert_allclose(result, plain, rtol=1e-5)


def test_a_class_without_images_is_never_predicted():
    source, target = images(0, 9), images(1, 6)
    source = source._replace(label=np.minimum(source.label, 1))
    for align in (shallow.nbnn(CLASSES), shallow.da_nbnn(CLASSES, iterations=2)):
        result, _ = logits(align, source, target)
        assert np.isfinite(result).all() and set(result.argmax(1)) <= {0, 1}


def objective(metric, apart, label, weight, trade, margin):
    total = 0
    for i, c_true in enumerate(label):
        distance = [
            np.trace(d @ m @ d.T) for d, m in zip(apart[i], metric, strict=True)
        ]
        hinge = [
            max(0, margin + distance[c_true] - distance[c])
            for c in range(CLASSES)
            if c != c_true
        ]
        total += weight[i] * ((1 - trade) * distance[c_true] + trade * sum(hinge))
    return total


@pytest.mark.parametrize(('m', 'k'), [(1, 30), (3, 4)])  # in a basis, and as it is
def test_metrics_lower_the_objective_and_are_semidefinite(m, k):
    rng = np.random.default_rng(0)
    label = np.arange(12) % CLASSES
    apart = rng.normal(size=(12, CLASSES, m, k)) * 0.5
    weight = rng.uniform(size=12)
    args = (label, weight, 0.4, 2.0)
    metric, (first, last) = da_nbnn.learn_metrics(apart, *args, rounds=60)
    eye = np.broadcast_to(np.eye(k), metric.shape)
    np.testing.assert_allclose(first, objective(eye, apart, *args))
    np.testing.assert_allclose(last, objective(metric, apart, *args))
    assert last < 0.9 * first
    np.testing.assert_allclose(metric, metric.transpose(0, 2, 1), atol=1e-12)
    assert np.linalg.eigvalsh(metric).min() > -1e-12
    # No nearby metric is better, which suffices since the objective is convex.
    for _ in range(20):
        noise = rng.normal(size=metric.shape) * 0.05
        near = metric + noise @ noise.transpose(0, 2, 1)
        assert objective(near, apart, *args) > last - 0.1 * first


def test_one_round_is_the_subgradient_step():
    rng = np.random.default_rng(1)
    label = np.arange(9) % CLASSES
    apart = rng.normal(size=(9, CLASSES, 2, 3)) * 0.3
    weight = rng.uniform(size=9)
    metric, _ = da_nbnn.learn_metrics(apart, label, weight, 0.5, 1.0, rounds=2)
    eye = np.broadcast_to(np.eye(3), (CLASSES, 3, 3))
    step = 1e-6
    slope = np.zeros_like(eye)
    for index in np.ndindex(slope.shape):
        perturbed = [eye.copy(), eye.copy()]
        perturbed[0][index] += step
        perturbed[1][index] -= step
        up, down = (objective(m, apart, label, weight, 0.5, 1.0) for m in perturbed)
        slope[index] = (up - down) / (2 * step)
    value, vector = np.linalg.eigh(eye - slope / 9)
    expected = (vector * np.maximum(value, 0)[:, None]) @ vector.transpose(0, 2, 1)
    np.testing.assert_allclose(metric, expected, atol=1e-7)


def test_images_move_as_the_paper_says():
    source, target = images(0, 12, 2), images(1, 15, 2, shift=0.3)
    align = shallow.da_nbnn(CLASSES, 2, iterations=1, per_class=1, margin=4.0)
    _, fitted = logits(align, source, target)
    label = np.asarray(fitted.label)
    start = by_loops(target.x, source.x, source.label, 2)
    ordered = np.sort(-start, 1)
    certain, guess = ordered[:, 1] - ordered[:, 0], start.argmax(1)
    for c in range(CLASSES):
        mine = np.flatnonzero(guess == c)
        below = mine[certain[mine] <= 4]
        best = below[np.argmax(certain[below])]
        assert np.flatnonzero(label[12:] == c).tolist() == [best]
        assert fitted.chosen[12 + best]
        # The source image of largest margin was removed; margins exclude the image.
        margins = []
        for i in np.flatnonzero(source.label == c):
            rest = np.arange(12) != i
            row = np.sort(
                -by_loops(source.x[[i]], source.x[rest], source.label[rest], 2)
            )
            margins.append(row[0, 1] - row[0, 0])
        gone = np.flatnonzero(source.label == c)[np.argmax(margins)]
        left = np.flatnonzero(label[:12] == c)
        assert left.tolist() == [
            i for i in np.flatnonzero(source.label == c) if i != gone
        ]


def test_a_pseudo_labelled_image_is_not_compared_with_itself():
    source, target = images(0, 12, 2), images(1, 9, 2)
    align = shallow.da_nbnn(CLASSES, 2, iterations=1, rounds=1)
    result, fitted = logits(align, source, target)
    label, chosen = np.asarray(fitted.label), np.asarray(fitted.chosen)
    np.testing.assert_array_equal(fitted.metric, np.broadcast_to(np.eye(5), (3, 5, 5)))
    assert chosen.sum() > 2
    for i in np.flatnonzero(chosen):
        rest = np.arange(21) != i
        expected = by_loops(
            np.asarray(fitted.x)[[i]], np.asarray(fitted.x)[rest], label[rest], 2
        )
        np.testing.assert_allclose(result[[i - 12]], expected, rtol=1e-5)


def test_without_iterations_it_is_nbnn():
    source, target = images(0, 12, 2), images(1, 9, 2)
    plain, _ = logits(shallow.nbnn(CLASSES, 2), source, target)
    result, _ = logits(shallow.da_nbnn(CLASSES, 2, iterations=0), source, target)
    np.testing.assert_allclose(result, plain, rtol=1e-5)


def test_labelled_target_images_stay_in_use():
    source, target, labelled = images(0, 12), images(1, 9), images(2, 3)
    align = shallow.da_nbnn(CLASSES, iterations=6, rounds=5)
    _, fitted = logits(align, source, target, labelled)
    label = np.asarray(fitted.label)
    np.testing.assert_array_equal(label[12:15], labelled.label)
    assert not np.asarray(fitted.chosen)[12:15].any()
    assert all((label == c).sum() >= 2 for c in range(CLASSES))
    before, after = np.asarray(fitted.objective).T
    assert (after <= before).all() and (after < before).any()


def test_lowest_scores_per_class():
    score = np.array([3.0, 1.0, 2.0, np.inf, 0.5, 4.0])
    label = np.array([0, 0, 0, 1, 1, 1])
    result = curation.lowest_per_class(score, label, 2)
    assert result.tolist() == [False, True, True, False, True, True]
    result = curation.lowest_per_class(score, label, np.array([0, 1]))
    assert result.tolist() == [False, False, False, False, True, False]


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match='descriptors 2'):
        logits(shallow.nbnn(CLASSES, 2), images(0, 6), images(1, 6))
    with pytest.raises(ValueError, match='trade 2'):
        shallow.da_nbnn(CLASSES, trade=2)
    with pytest.raises(ValueError, match='iterations 11'):
        shallow.da_nbnn(CLASSES, iterations=11)
