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


def test_forced_mass_by_hand_and_by_linear_programming():
    """Source classes 0, 0, 1, 2 and target predictions of mean (.2, .5, .3).

    1/2 (|.5 - .2| + |.25 - .5| + |.25 - .3|) = .3. With labels for predictions it is
    the least mass of a plan on pairs of two classes.
    """
    label = np.array([0, 0, 1, 2])
    p = np.array([[0.2, 0.6, 0.2], [0.3, 0.5, 0.2], [0.1, 0.4, 0.5]])
    np.testing.assert_allclose(jax.jit(losses.forced_mass)(label, p), 0.3, rtol=1e-12)

    target = np.array([1, 2, 2, 1, 1])
    wrong = (label[:, None] != target).astype(float).ravel()
    rows = np.kron(np.eye(4), np.ones(5))
    columns = np.kron(np.ones(4), np.eye(5))
    best = scipy.optimize.linprog(
        wrong,
        A_eq=np.concatenate([rows, columns]),
        b_eq=[1 / 4] * 4 + [1 / 5] * 5,
    ).fun
    actual = losses.forced_mass(label, np.eye(3)[target])
    np.testing.assert_allclose(actual, best, rtol=1e-9)


@pytest.mark.parametrize(
    'size, balanced, percent',
    [(32, False, 29), (32, True, 21), (128, False, 15), (500, False, 7.6),
     (500, True, 5.4)],
)  # fmt: skip
def test_forced_mass_of_batches_of_ten_classes(size, balanced, percent):
    """The numbers of the docstring, with true labels, as means over 400 batches."""
    rng = np.random.default_rng(1)
    source = np.arange(size) % 10 + np.zeros((400, 1), int)
    if not balanced:
        source = rng.integers(10, size=(400, size))
    target = np.eye(10, dtype=np.float32)[rng.integers(10, size=(400, size))]
    shares = jax.jit(jax.vmap(losses.forced_mass))(source, target)
    np.testing.assert_allclose(100 * shares.mean(), percent, rtol=0.05)


@pytest.mark.parametrize('epsilon', [0.1, 1.0])
def test_the_plan_is_the_entropic_optimum(epsilon):
    """Uniform marginals, and log P + cost / reg a sum of row and column terms."""
    plan = np.asarray(losses.transport_plan(COST, epsilon=epsilon).matrix)
    np.testing.assert_allclose(plan.sum(1), 1 / 5, rtol=1e-8)
    np.testing.assert_allclose(plan.sum(0), 1 / 4, rtol=1e-8)
    rest = np.log(plan) + COST / (epsilon * COST.mean())
    rest = rest - rest.mean(0) - rest.mean(1, keepdims=True) + rest.mean()
    np.testing.assert_allclose(rest, 0, atol=1e-5)  # 1e-9 of the mass is moved last
    # Epsilon is in units of the mean cost, so scaled costs have the same plan.
    other = losses.transport_plan(100 * COST, epsilon=epsilon).matrix
    np.testing.assert_allclose(other, plan, rtol=1e-8)


def test_for_small_epsilon_the_plan_is_the_assignment():
    cost = np.array([[0.0, 1.0, 3.0], [0.2, 3.0, 3.0], [3.0, 3.0, 0.5]])
    rows, columns = scipy.optimize.linear_sum_assignment(cost)
    assert (columns != cost.argmin(1)).any()  # two rows are closest to column 0
    plan = losses.transport_plan(cost, epsilon=0.05).matrix
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
    plan = losses.transport_plan(COST).matrix
    value, gradient = jax.jit(jax.value_and_grad(losses.transport_cost))(COST)
    np.testing.assert_allclose(value, (plan * COST).sum(), rtol=1e-12)
    np.testing.assert_allclose(gradient, plan, rtol=1e-10, atol=1e-14)


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
    frozen = (losses.transport_plan(COST, epsilon=0.3).matrix * direction).sum()
    assert abs(frozen - slope) > 1e-3


@pytest.mark.parametrize('through', [False, True])
def test_a_constant_cost_has_a_finite_gradient(through):
    for level in (0.0, 2.0):
        value, gradient = jax.value_and_grad(losses.transport_cost)(
            np.full((4, 4), level), through=through
        )
        np.testing.assert_allclose(value, level)
        np.testing.assert_allclose(gradient, 1 / 16, rtol=1e-6)
