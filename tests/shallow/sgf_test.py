"""Geodesic flow sampling against its definition, and its limit."""

import functools

import jax
import numpy as np
import pytest
from scipy import linalg

from transfer_jax import shallow
from transfer_jax.types import Samples

CLASSES = 3


def samples(seed, n, d, mean=0.5):
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, 1, (n, d)) * np.linspace(2, 0.3, d)
    return Samples(x, np.arange(n) % CLASSES, np.ones(n))


@functools.cache  # what is compiled for one shape serves several tests
def pipeline(dimension, **options):
    return shallow.pipeline(
        shallow.sgf(dimension, **options), shallow.nearest_neighbour(CLASSES)
    )


def fit(source, target, dimension, **options):
    made = pipeline(dimension, **options)
    return made, made.fit(jax.random.key(0), source, target)


def directions(x, count):
    return np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:count].T


def test_each_part_spans_its_subspace_of_the_geodesic():
    source, target = samples(0, 30, 9), samples(1, 25, 9)
    matrix = fit(source, target, 3, subspaces_sampled=4)[1].alignment.matrix
    matrix = np.asarray(matrix)
    assert matrix.shape == (9, 12)
    a, b = directions(source.x, 3), directions(target.x, 3)
    # The generator of the geodesic, from the two reflections
    reflections = (np.eye(9) - 2 * b @ b.T) @ (np.eye(9) - 2 * a @ a.T)
    log = np.real(linalg.logm(reflections)) / 2
    for part, t in zip(np.split(matrix, 4, axis=1), np.linspace(0, 1, 4), strict=True):
        np.testing.assert_allclose(part.T @ part, np.eye(3), atol=1e-12)
        basis = linalg.expm(t * log) @ a
        np.testing.assert_allclose(part @ part.T, basis @ basis.T, atol=1e-10)
    ends = np.split(matrix, 4, axis=1)
    np.testing.assert_allclose(ends[0] @ ends[0].T, a @ a.T, atol=1e-12)
    np.testing.assert_allclose(ends[-1] @ ends[-1].T, b @ b.T, atol=1e-12)


def test_many_subspaces_are_the_geodesic_flow_kernel():
    source, target = samples(0, 30, 9), samples(1, 25, 9)
    result = fit(source, target, 3, subspaces_sampled=101)[1].alignment.matrix
    result = np.asarray(result).reshape(9, 101, 3)
    weight = np.full(101, 0.01)
    weight[[0, -1]] = 0.005
    gfk = shallow.pipeline(shallow.gfk(3), shallow.nearest_neighbour(CLASSES))
    factor = np.asarray(gfk.fit(jax.random.key(0), source, target).alignment.factor)
    # The trapezoidal rule is off by theta^2 / (12 * 100^2) at most.
    sampled = np.einsum('isk,s,jsk->ij', result, weight, result)
    np.testing.assert_allclose(sampled, factor @ factor.T, atol=5e-5)


def test_components_are_the_scores_of_partial_least_squares():
    source, target = samples(0, 30, 9), samples(1, 25, 9)
    made, fitted = fit(
        source, target, 3, subspaces_sampled=4, components=5, classes=CLASSES
    )
    features = np.asarray(made.predict_source(fitted, {'x': source.x})['features'])
    whole = fit(source, target, 3, subspaces_sampled=4)[1].alignment.matrix
    scores = nipals(source.x @ np.asarray(whole), np.eye(CLASSES)[source.label], 5)
    sign = np.sign(np.sum(scores * features, 0))
    np.testing.assert_allclose(features, scores * sign, atol=1e-4)
    mapped = np.asarray(made.predict(fitted, {'x': source.x})['features'])
    np.testing.assert_array_equal(mapped, features)


def nipals(x, y, count):
    """Scores by deflation of the features, following the definition."""
    x, y = x - x.mean(0), y - y.mean(0)
    scores = []
    for _ in range(count):
        w = np.linalg.svd(x.T @ y)[0][:, 0]
        scores.append(x @ w)
        x = x - np.outer(scores[-1], scores[-1] @ x) / (scores[-1] @ scores[-1])
    return np.stack(scores, 1)


def test_components_that_labels_do_not_need_are_zero():
    source, target = samples(0, 4, 9), samples(1, 25, 9)  # of rank 3
    made, fitted = fit(
        source, target, 3, subspaces_sampled=4, components=6, classes=CLASSES
    )
    answers = made.predict(fitted, {'x': target.x})
    lengths = np.linalg.norm(answers['features'], axis=0)
    assert np.all(lengths[:3] > 1e-3) and np.all(lengths[3:] < 1e-6)
    assert np.all(np.isfinite(answers['logits']))


def test_one_target_example_gives_no_direction_and_no_nan():
    source, target = samples(0, 30, 9), samples(1, 1, 9)
    for options in ({}, {'components': 2, 'classes': CLASSES}):
        made, fitted = fit(source, target, 4, **options)
        answers = made.predict(fitted, {'x': target.x})
        assert not np.any(answers['features'])
        assert np.all(np.isfinite(answers['logits']))


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match='dimension 0'):
        shallow.sgf(0)
    with pytest.raises(ValueError, match='subspaces_sampled 1'):
        shallow.sgf(2, subspaces_sampled=1)
    with pytest.raises(ValueError, match='dimension 7: the projections have 1 to 6'):
        shallow.sgf(2, subspaces_sampled=3, components=7, classes=3)
    with pytest.raises(ValueError, match='classes'):
        shallow.sgf(2, components=3)
    with pytest.raises(ValueError, match='dimension 7.*have 6'):
        fit(samples(0, 9, 6), samples(1, 9, 6), 7)
