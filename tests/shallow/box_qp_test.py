"""Quadratic programs over a box and a bound on the sum, by their KKT conditions."""

import functools

import jax
import numpy as np
import pytest
from scipy import optimize

from transfer_jax.shallow import box_qp

MINIMISE = jax.jit(functools.partial(box_qp.minimise, tolerance=1e-6))


def problem(seed, n=60, d=10):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(n, d)), 0.8 * rng.normal(size=(n, d)) + 0.5

    def kernel(a, b):
        return np.exp(-((a[:, None] - b) ** 2).sum(-1) / (2 * d))

    return kernel(x, x), kernel(x, z).sum(1)


def solve(*arguments):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, MINIMISE(*arguments))


def violation(x, gradient, upper, low, high):
    """The KKT residual, with the best multiplier of the sum, without projection."""
    at_low, at_high = x.sum() <= low * (1 + 1e-9), x.sum() >= high * (1 - 1e-9)

    def wrong(multiplier):
        slope = gradient - multiplier
        return np.max(
            np.where(x <= 0, -slope, np.where(x >= upper, slope, np.abs(slope))).clip(0)
        )

    most, least = np.abs(gradient).max() * at_low, -np.abs(gradient).max() * at_high
    if least == most:
        return wrong(0)
    return optimize.minimize_scalar(
        wrong, bounds=(least, most), method='bounded', options={'xatol': 1e-10}
    ).fun


@pytest.mark.parametrize(
    ('bound', 'low', 'high'),
    [
        (1e3, 5, 115),
        (1e3, 60, 60),
        (3, 5, 115),
        (1e3, 5, 50),
        (1e3, 70, 80),
        (1, 0, 90),
    ],
)
def test_the_minimum_satisfies_the_conditions(bound, low, high):
    for seed in range(3):
        matrix, linear = problem(seed)
        upper = np.full(60, float(bound))
        result = solve(matrix, linear, upper, float(low), float(high))
        x = result.x
        assert result.residual < 1e-6
        assert x.min() >= 0 and np.all(x <= upper)
        assert low * (1 - 1e-9) <= x.sum() <= high * (1 + 1e-9)
        assert violation(x, matrix @ x - linear, upper, low, high) < 2e-6


def test_no_feasible_point_is_better():
    matrix, linear = problem(0, n=20)
    result = solve(matrix, linear, np.full(20, 4.0), 15.0, 18.0).x

    def value(x):
        return 0.5 * x @ matrix @ x - linear @ x

    other = optimize.minimize(
        value,
        np.full(20, 0.8),
        jac=lambda x: matrix @ x - linear,
        method='SLSQP',
        bounds=[(0, 4)] * 20,
        constraints=optimize.LinearConstraint(np.ones(20), 15, 18),
        options={'ftol': 1e-12, 'maxiter': 500},
    )
    assert other.success
    np.testing.assert_allclose(value(result), other.fun, rtol=1e-8)
    np.testing.assert_allclose(result, other.x, atol=1e-4)


@pytest.mark.parametrize(
    ('low', 'high', 'expected'),
    [
        (0, 9, [0, 0.5, 1]),  # the sum is within its bounds: only clipped
        (0, 1, [0, 0.25, 0.75]),  # all free ones move by as much: 1.5 is 0.5 too many
        (2.25, 9, [0.25, 1, 1]),
        (0, 0, [0, 0, 0]),
        (3, 9, [1, 1, 1]),
    ],
)
def test_projections_by_hand(low, high, expected):
    with jax.enable_x64(True):
        v = np.array([-0.5, 0.5, 1.0])
        result = jax.jit(box_qp.project)(v, np.ones(3), float(low), float(high))
    np.testing.assert_allclose(result, expected, atol=1e-12)


def test_a_projection_leaves_bounds_exactly():
    with jax.enable_x64(True):
        v = np.random.default_rng(0).normal(size=200)
        once = jax.jit(box_qp.project)(v, np.ones(200), 60.0, 60.0)
        twice = jax.jit(box_qp.project)(once, np.ones(200), 60.0, 60.0)
    assert np.sum(np.asarray(once) == 0) > 50
    np.testing.assert_array_equal(np.asarray(once) == 0, np.asarray(twice) == 0)
