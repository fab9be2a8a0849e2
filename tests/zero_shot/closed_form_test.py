"""ESZSL and SAE against NumPy and SciPy."""

import jax
import numpy as np
import pytest
import scipy.linalg

from tests.zero_shot import generated
from transfer_jax import zero_shot

KEY = jax.random.key(0)


def eszsl(x, targets, vectors, gamma, lam):
    """V (d, a), each inverse as the paper writes it."""
    left = np.linalg.inv(x.T @ x + gamma * np.eye(x.shape[1]))
    right = np.linalg.inv(vectors.T @ vectors + lam * np.eye(vectors.shape[1]))
    return left @ x.T @ targets @ vectors @ right


@pytest.mark.parametrize('d', [10, 120])  # fewer and more features than examples
@pytest.mark.parametrize('a', [6, 20])  # fewer and more than classes
def test_eszsl_is_its_formula(d, a):
    world = generated.world(d=d, a=a)
    targets = np.eye(12)[world.label]
    v = eszsl(world.x, targets, world.vectors, 0.3, 0.7)
    compiled = zero_shot.pipeline(zero_shot.eszsl(0.3, 0.7))
    result = compiled.scores(compiled.fit(KEY, *world[:3]), world.test_x, world.unseen)
    np.testing.assert_allclose(result, world.test_x @ v @ world.unseen.T, atol=1e-10)


def test_the_path_of_eszsl_is_its_fits():
    world = generated.world(d=40)
    pairs = [0.01, 0.1, 1.0], [2.0, 0.3, 0.3]
    path = zero_shot.pipeline(zero_shot.eszsl_path(*pairs))
    fitted = path.fit(KEY, *world[:3])
    result = path.scores(fitted, world.test_x, world.unseen)
    for scores, gamma, lam in zip(result, *pairs, strict=True):
        v = eszsl(world.x, np.eye(12)[world.label], world.vectors, gamma, lam)
        expected = world.test_x @ v @ world.unseen.T
        np.testing.assert_allclose(scores, expected, atol=1e-9)


def test_eszsl_has_labels_0_and_1():
    """With -1 for the other classes it is far worse."""
    shares = {'ours': [], 'signs': []}
    for seed in range(5):
        world = generated.world(seed, seen=40, unseen=8, d=30, a=10, base=0.5)
        compiled = zero_shot.pipeline(zero_shot.eszsl(0.1, 0.1))
        fitted = compiled.fit(KEY, *world[:3])
        scores = compiled.scores(fitted, world.test_x, world.unseen)
        signs = 2 * np.eye(40)[world.label] - 1
        v = eszsl(world.x, signs, world.vectors, 0.1, 0.1)
        for name, each in (
            ('ours', scores),
            ('signs', world.test_x @ v @ world.unseen.T),
        ):
            shares[name].append(np.mean(each.argmax(1) == world.test_label))
    assert np.mean(shares['ours']) > np.mean(shares['signs']) + 0.3


@pytest.mark.parametrize('d, a', [(10, 6), (10, 20), (120, 6)])
def test_sae_solves_the_sylvester_equation(d, a):
    world = generated.world(d=d, a=a)
    s, lam = world.vectors[world.label], 0.4
    fitted = zero_shot.pipeline(zero_shot.sae(lam)).fit(KEY, *world[:3])
    w = np.asarray(fitted.parameters.encoder)
    right = (1 + lam) * s.T @ world.x
    both = s.T @ s @ w + lam * w @ world.x.T @ world.x
    np.testing.assert_allclose(both, right, atol=1e-9)
    if a <= 12 and d <= 96:  # else the solution is not unique
        w0 = scipy.linalg.solve_sylvester(s.T @ s, lam * world.x.T @ world.x, right)
        np.testing.assert_allclose(w, w0, atol=1e-9)


def test_sae_is_the_minimum_of_both_errors():
    world = generated.world()
    s, lam = world.vectors[world.label], 0.4
    fitted = zero_shot.pipeline(zero_shot.sae(lam)).fit(KEY, *world[:3])
    w = np.asarray(fitted.parameters.encoder)

    def errors(w):
        return np.sum((world.x - s @ w) ** 2) + lam * np.sum((world.x @ w.T - s) ** 2)

    rng = np.random.default_rng(0)
    for _ in range(20):
        assert errors(w + 1e-3 * rng.normal(size=w.shape)) > errors(w)


def test_sae_compares_by_cosine_in_either_space():
    world = generated.world()
    for to in ('features', 'vectors'):
        compiled = zero_shot.pipeline(zero_shot.sae(0.4, to=to))
        fitted = compiled.fit(KEY, *world[:3])
        w = np.asarray(fitted.parameters.encoder)
        pair = (world.test_x, world.unseen @ w)
        if to == 'vectors':
            pair = (world.test_x @ w.T, world.unseen)
        first, second = map(generated.unit, pair)
        result = compiled.scores(fitted, world.test_x, world.unseen)
        np.testing.assert_allclose(result, first @ second.T, atol=1e-10)
