"""KLIEP against SciPy, and its choice of width."""

import jax
import numpy as np
import pytest
from scipy import optimize

from transfer_jax import shallow
from transfer_jax.types import Samples

KEY = jax.random.key(0)


def samples(seed, n=40, d=2, mean=0.0, scale=1.0):
    x = np.random.default_rng(seed).normal(mean, scale, (n, d))
    return Samples(x, np.arange(n) % 2, np.ones(n))


def fit(align, source, target):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, jax.jit(align.fit)(KEY, source, target))


def kernel(a, b, variance):
    return np.exp(-((a[:, None] - b) ** 2).sum(-1) / (2 * variance))


def solve(source, target, centre, variance):
    """alpha of the paper's problem, by SLSQP."""
    inside, mean = kernel(target, centre, variance), kernel(source, centre, variance)
    mean = mean.mean(0)
    return optimize.minimize(
        lambda a: -np.log(inside @ a).mean(),
        np.full(len(centre), 1 / mean.sum()),
        jac=lambda a: -(1 / (inside @ a)) @ inside / len(inside),
        method='SLSQP',
        bounds=[(0, None)] * len(centre),
        constraints=optimize.LinearConstraint(mean[None], 1, 1),
        options={'ftol': 1e-13, 'maxiter': 1000},
    ).x


def test_weights_solve_the_problem_of_the_paper():
    source, target = samples(0), samples(1, n=30, mean=0.5, scale=0.7)
    result = fit(shallow.kliep(variances=0.5, centres=10), source, target)
    centre = target.x[::3]
    np.testing.assert_array_equal(result.centre, centre)
    alpha = solve(source.x, target.x, centre, 0.5)
    expected = kernel(source.x, centre, 0.5) @ alpha
    np.testing.assert_allclose(result.weight, expected, atol=2e-4)
    np.testing.assert_allclose(result.weight.mean(), 1, rtol=1e-9)
    assert result.gap < 1e-8

    def value(x, w):
        return np.log(kernel(x, centre, 0.5) @ w).mean()

    weights = result.share / np.exp(result.level)
    assert value(target.x, weights) > value(target.x, alpha) - 1e-8


def test_the_width_is_that_of_the_best_held_out_likelihood():
    source, target = samples(0, n=60), samples(1, n=31, mean=0.5, scale=0.5)
    variances = [0.01, 0.3, 30.0]
    result = fit(shallow.kliep(variances=variances, folds=4), source, target)
    score = []
    for variance in variances:
        total = 0
        for fold in range(4):
            away = np.arange(31) % 4 == fold
            alpha = solve(source.x, target.x[~away], target.x, variance)
            total += np.log(kernel(target.x[away], target.x, variance) @ alpha).sum()
        score.append(total / 31)
    assert np.argmax(score) == 1
    # With the narrowest width distant centres contribute nothing.
    assert result.score[0] < result.score[1] - 1
    np.testing.assert_allclose(result.score[1:], score[1:], atol=2e-3)
    assert result.variance == 0.3
    alone = fit(shallow.kliep(variances=0.3), source, target)
    np.testing.assert_allclose(result.weight, alone.weight, atol=1e-9)


def test_weights_are_defined_everywhere():
    source, target = samples(0), samples(1, mean=0.5)
    result = fit(shallow.kliep(variances=0.5), source, target)
    with jax.enable_x64(True):
        again = shallow.kliep_weights(result, source.x)
        x = np.array([[0.5, 0.5], [-9.0, -9.0]])
        other = np.asarray(shallow.kliep_weights(result, x))
    np.testing.assert_allclose(again, result.weight, rtol=1e-9)
    assert other[0] > 1 > other[1]


def test_the_ratio_of_two_gaussians_is_recovered():
    source, target = samples(0, n=2000, d=1), samples(1, n=2000, d=1, mean=0.5)
    result = fit(shallow.kliep(variances=1.0, centres=50), source, target)
    x = np.linspace(-1, 2, 7)[:, None]
    with jax.enable_x64(True):
        weight = np.asarray(shallow.kliep_weights(result, x))
    np.testing.assert_allclose(weight, np.exp(0.5 * x[:, 0] - 0.125), rtol=0.15)


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match='variances'):
        shallow.kliep(variances=[1.0, 0.0])
    with pytest.raises(ValueError, match='centres 0'):
        shallow.kliep(centres=0)
    with pytest.raises(ValueError, match='folds 1'):
        shallow.kliep(folds=1)
