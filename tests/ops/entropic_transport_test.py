"""Entropic plans by hand, against linear programs, their duality and derivatives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import optimize, special

from tests.ops.transport_problems import double, problem
from transfer_jax import ops
from transfer_jax.ops import sinkhorn

plan_of = double(ops.entropic_plan)


def least_cost(cost, a, b):
    n, m = cost.shape
    sums = np.vstack([np.kron(np.eye(n), np.ones(m)), np.tile(np.eye(m), n)])
    return optimize.linprog(cost.ravel(), A_eq=sums, b_eq=np.r_[a, b]).fun


def far_domains(seed, shift, n=40, m=30, d=2):
    """Squared distances of two domains, divided by the largest, uniform weights."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(n, d)), rng.normal(size=(m, d)) + shift
    x[:, 0] += 3 * (np.arange(n) % 3)
    z[:, 0] += 3 * (np.arange(m) % 3)
    cost = ((x[:, None] - z) ** 2).sum(-1)
    return cost / cost.max(), np.full(n, 1 / n), np.full(m, 1 / m)


def masses_with_zeros():
    rng = np.random.default_rng(1)
    cost, a, b = problem(2, 7, 11)
    a, b = a * rng.uniform(0.01, 1, 7), b * rng.uniform(0.01, 1, 11)
    a[2], b[:3] = 0, 0
    return cost, a / a.sum(), b / b.sum()


def large_costs():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(60, 5)), rng.normal(size=(60, 5)) + 50
    return ((x[:, None] - z) ** 2).sum(-1), np.full(60, 1 / 60), np.full(60, 1 / 60)


HARD = {
    **{f'near {i}': functools.partial(far_domains, i, 1.0) for i in range(12)},
    **{f'far {i}': functools.partial(far_domains, i, 20.0) for i in range(12)},
    'small': functools.partial(far_domains, 0, 0.5, 7, 11),
    'zeros': masses_with_zeros,
    'large costs': large_costs,
}


@pytest.mark.parametrize('name', HARD)
def test_the_cost_is_within_the_entropy_of_the_least(name):
    cost, a, b = HARD[name]()
    least = least_cost(cost, a, b)
    for regularisation in (1e-4, 1e-5, 1e-6):
        plan = plan_of(cost, a, b, regularisation)
        assert plan.converged and plan.error <= 1e-9
        value = np.sum(plan.matrix * cost)
        rounding = 1e-9 * cost.max()
        assert least - rounding <= value
        assert value <= least + regularisation * np.log(cost.size) + rounding


def test_single_precision_converges_too():
    cost, a, b = far_domains(0, 1.0)
    for regularisation in (0.02, 1e-3):
        plan = jax.jit(ops.entropic_plan)(cost, a, b, regularisation)
        assert plan.matrix.dtype == jnp.float32
        assert plan.converged and plan.error <= 1e-5
        exact = plan_of(cost, a, b, regularisation).matrix
        np.testing.assert_allclose(np.abs(plan.matrix - exact).sum(), 0, atol=1e-3)


def test_what_has_not_converged_says_so():
    cost, a, b = problem()
    few = functools.partial(ops.entropic_plan, iterations=10, newton=0)
    with pytest.warns(UserWarning, match='not converged.*larger regularisation'):
        plan = few(cost, a, b, 1e-3)
    assert not plan.converged and plan.error > 1e-3
    np.testing.assert_allclose(plan.matrix.sum(1), a, atol=1e-6)  # exact by rounding
    cost[3, 4] = np.nan
    for plan in (plan_of(cost, a, b, 0.1), plan_of(cost * 0, a, 2 * b, 0.1)):
        assert not plan.converged


@pytest.mark.parametrize('regularisation', [0.0, -1.0, np.nan])
def test_a_regularisation_is_positive(regularisation):
    cost, a, b = problem()
    with pytest.raises(ValueError, match=f'is {regularisation}: give a positive'):
        ops.entropic_plan(cost, a, b, regularisation)


def test_the_plan_has_the_derivatives_of_finite_differences():
    shape = 4, 6
    cost, a, b = problem(0, *shape)
    b[1] = 0
    b /= b.sum()
    inner = np.random.default_rng(1).normal(size=shape)

    def value(cost, log_a, regularisation):
        a = jax.nn.softmax(log_a)  # of sum 1
        plan = ops.entropic_plan(cost, a, b, regularisation, tolerance=1e-13)
        return jnp.sum(inner * plan.matrix)

    with jax.enable_x64(True):
        arguments = (jnp.asarray(cost), jnp.log(a), jnp.asarray(0.1))
        check_grads(jax.jit(value), arguments, order=1, modes=['rev'], rtol=1e-5)


def test_the_derivative_is_finite_where_parts_of_the_plan_exchange_no_mass():
    cost = np.array([[0.0, 1.0, 3.0], [0.2, 3.0, 3.0], [3.0, 3.0, 0.5]])
    third = np.full(3, 1 / 3)

    def value(cost):
        return jnp.sum(cost * ops.entropic_plan(cost, third, third, 1e-3).matrix)

    gradient = jax.jit(jax.grad(value))(cost)  # that of the least cost: the plan
    expected = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]) / 3
    np.testing.assert_allclose(gradient, expected, atol=1e-4)


def test_the_entropic_plan_of_two_and_two_is_that_by_hand():
    # By symmetry P = [[p, q], [q, p]] with p + q = 1/2 and p/q = exp((1 - 0) / reg).
    cost = np.array([[0.0, 1.0], [1.0, 0.0]])
    half = np.array([0.5, 0.5])
    result = plan_of(cost, half, half, 0.5)
    p = 0.5 / (1 + np.exp(-2))
    expected = [[p, 0.5 - p], [0.5 - p, p]]
    np.testing.assert_allclose(result.matrix, expected, atol=1e-9)


@pytest.mark.parametrize('regularisation', [1.0, 0.003, 1e-5])
def test_marginals_are_exact_for_any_regularisation(regularisation):
    cost, a, b = problem()
    plan = double(lambda c, r: ops.entropic_plan(c, a, b, r))(cost, regularisation)
    assert np.isfinite(plan.matrix).all() and (plan.matrix >= 0).all()
    np.testing.assert_allclose(plan.matrix.sum(1), a, atol=1e-13)
    np.testing.assert_allclose(plan.matrix.sum(0), b, atol=1e-13)
    assert plan.converged


@pytest.mark.parametrize('regularisation', [0.3, 0.02])
def test_the_duality_gap_of_the_entropic_plan_is_closed(regularisation):
    cost, a, b = problem(1)
    plan = plan_of(cost, a, b, regularisation)
    p = plan.matrix
    primal = np.sum(p * cost) + regularisation * np.sum(special.xlogy(p, p) - p)
    exponent = (plan.source[:, None] + plan.target - cost) / regularisation
    dual = a @ plan.source + b @ plan.target - regularisation * np.exp(exponent).sum()
    assert abs(primal - dual) < 1e-8


def test_over_relaxation_takes_fewer_iterations_than_sinkhorn():
    cost, a, b = problem(2, 30, 30)
    reg = 0.01
    u, kernel, plain = np.ones(30), np.exp(-cost / reg), 0
    error = 1.0
    while error > 1e-9:
        v = b / (u @ kernel)
        error, plain = np.abs(u * (kernel @ v) - a).sum(), plain + 1
        u = a / (kernel @ v)
    result = plan_of(cost, a, b, reg)
    np.testing.assert_allclose(result.matrix, u[:, None] * kernel * v, atol=1e-8)
    assert result.iterations < plain / 2


def test_potentials_of_the_solution_are_a_start_that_ends_at_once():
    cost, a, b = problem(3)
    first = plan_of(cost, a, b, 0.01)
    start = first.source, first.target
    again = double(lambda c: ops.entropic_plan(c, a, b, 0.01, start=start))
    assert again(cost).iterations == sinkhorn.CHUNK < first.iterations
    # Useless initial potentials do no harm.
    wild = (1e3 * start[0], -1e4 * start[1])
    far = double(lambda c: ops.entropic_plan(c, a, b, 0.01, start=wild))
    np.testing.assert_allclose(far(cost).matrix, first.matrix, atol=1e-8)
