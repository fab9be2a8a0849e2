"""Optimal transport in float64: optimality conditions, assignment, both gradients."""

import jax
import numpy as np
import pytest
import scipy.optimize
from jax.test_util import check_grads

from transfer_jax import losses

pytestmark = pytest.mark.usefixtures('float64')
RNG = np.random.default_rng(0)
COST = RNG.uniform(0.2, 2, (5, 4))


def test_jdot_cost():
    source, target = RNG.normal(size=(3, 2)), RNG.normal(size=(4, 2))
    logits, label = RNG.normal(0, 2, (4, 3)), np.array([2, 0, 2])
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = [
        [
            0.3 * sum((source[i] - target[j]) ** 2) - 0.7 * np.log(p[j, label[i]])
            for j in range(4)
        ]
        for i in range(3)
    ]

    def cost(source, target, logits):
        return losses.jdot_cost(
            source, target, label, logits, feature_weight=0.3, label_weight=0.7
        )

    actual = jax.jit(cost)(source, target, logits)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    check_grads(cost, (source, target, logits), order=1, modes=['rev'])


@pytest.mark.parametrize('epsilon', [0.1, 1.0])
def test_the_plan_is_the_entropic_optimum(epsilon):
    """Uniform marginals, and log P + cost / reg a sum of row and column terms."""
    plan = np.asarray(losses.transport_plan(COST, epsilon=epsilon))
    np.testing.assert_allclose(plan.sum(1), 1 / 5, rtol=1e-8)
    np.testing.assert_allclose(plan.sum(0), 1 / 4, rtol=1e-8)
    rest = np.log(plan) + COST / (epsilon * COST.mean())
    rest = rest - rest.mean(0) - rest.mean(1, keepdims=True) + rest.mean()
    np.testing.assert_allclose(rest, 0, atol=1e-5)  # 1e-9 of the mass is moved last
    # Epsilon is in units of the mean cost, so scaled costs have the same plan.
    other = losses.transport_plan(100 * COST, epsilon=epsilon)
    np.testing.assert_allclose(other, plan, rtol=1e-8)


def test_for_small_epsilon_the_plan_is_the_assignment():
    cost = np.array([[0.0, 1.0, 3.0], [0.2, 3.0, 3.0], [3.0, 3.0, 0.5]])
    rows, columns = scipy.optimize.linear_sum_assignment(cost)
    assert (columns != cost.argmin(1)).any()  # two rows are closest to column 0
    plan = losses.transport_plan(cost, epsilon=0.05)
    expected = np.zeros((3, 3))
    expected[rows, columns] = 1 / 3
    np.testing.assert_allclose(plan, expected, atol=1e-4)
    actual = jax.jit(losses.transport_cost)(cost, epsilon=0.05)
    np.testing.assert_allclose(actual, cost[rows, columns].mean(), rtol=1e-2)


def test_order_of_rows_and_columns_does_not_count():
    actual = losses.transport_cost(COST)
    other = losses.transport_cost(COST[[3, 0, 4, 1, 2]][:, [2, 0, 3, 1]])
    np.testing.assert_allclose(other, actual, rtol=1e-10)


def test_the_gradient_with_the_plan_fixed_is_the_plan():
    plan = losses.transport_plan(COST)
    value, gradient = jax.jit(jax.value_and_grad(losses.transport_cost))(COST)
    np.testing.assert_allclose(value, (plan * COST).sum(), rtol=1e-12)
    np.testing.assert_allclose(gradient, plan, rtol=1e-10)


def test_the_gradient_through_the_plan():
    """Compared with finite differences along changes that keep the mean cost.

    The mean cost is the unit of the regularisation and a constant in gradients.
    """
    direction = RNG.normal(size=COST.shape)
    direction -= direction.mean()

    def through(cost):
        return losses.transport_cost(cost, epsilon=0.3, through=True)

    h = 1e-5
    up, down = through(COST + h * direction), through(COST - h * direction)
    slope = (jax.jit(jax.grad(through))(COST) * direction).sum()
    np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=1e-6)
    frozen = (losses.transport_plan(COST, epsilon=0.3) * direction).sum()
    assert abs(frozen - slope) > 1e-3


@pytest.mark.parametrize('through', [False, True])
def test_a_constant_cost_has_a_finite_gradient(through):
    for level in (0.0, 2.0):
        value, gradient = jax.value_and_grad(losses.transport_cost)(
            np.full((4, 4), level), through=through
        )
        np.testing.assert_allclose(value, level)
        np.testing.assert_allclose(gradient, 1 / 16, rtol=1e-6)
