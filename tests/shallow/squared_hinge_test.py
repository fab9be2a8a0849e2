"""SVMs solved on the host against Newton's method in JAX, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.shallow import newton, squared_hinge

pytestmark = pytest.mark.usefixtures('float64')


def problem(n, d, c, cost, seed=0):
    rng = np.random.default_rng(seed)
    sign = np.where(rng.random((n, c)) < 0.3, 1.0, -1.0)
    x = rng.normal(size=(n, d)) + 0.5 * sign @ rng.normal(size=(c, d))
    scale = cost * rng.uniform(0.5, 2, (n, 1)) * np.ones((1, c))
    scale[:3] = 0  # do not count
    return x, sign, scale


def by_newton(x, sign, scale, tolerance):
    def lack(f):
        return jnp.maximum(1 - sign * f, 0)

    def diagonal(f):
        return 2 * scale * (lack(f) > 0)

    loss = newton.Loss(
        lambda f: scale * lack(f) ** 2,
        lambda f: -2 * scale * sign * lack(f),
        lambda f, u: diagonal(f) * u,
        diagonal,
    )
    ridge, start = jnp.ones((x.shape[1], 1)), jnp.zeros((x.shape[1], sign.shape[1]))
    how = {'joint': False, 'tolerance': tolerance}
    return newton.minimise(jnp.asarray(x), ridge, loss, start, **how)


@pytest.mark.parametrize(('n', 'd'), [(40, 6), (12, 30)])  # both forms of the system
@pytest.mark.parametrize('cost', [0.01, 1.0, 1e3])
def test_the_minimum_is_that_of_newtons_method(n, d, cost):
    x, sign, scale = problem(n, d, 3, cost)
    start = jnp.zeros((d, 3))
    result = jax.jit(squared_hinge.minimise)(x, sign, scale, start, 1e-12)
    expected = by_newton(x, sign, scale, 1e-12)
    np.testing.assert_allclose(result.objective, expected.objective, rtol=1e-9)
    np.testing.assert_allclose(result.w, expected.w, atol=1e-5)
    assert (result.gap <= 1e-12 * result.objective).all()
    again = squared_hinge.minimise(x, sign, scale, result.w, 1e-12)
    np.testing.assert_allclose(again.w, result.w, atol=1e-9)


def test_two_examples_by_hand():
    # f = w x; 1/2 w^2 + c (1 - w)^2 twice: w = 4 c / (1 + 4 c)
    x, sign = np.array([[1.0], [-1.0]]), np.array([[1.0], [-1.0]])
    result = squared_hinge.minimise(x, sign, np.full((2, 1), 0.5), np.zeros((1, 1)), 0)
    np.testing.assert_allclose(result.w, [[2 / 3]], rtol=1e-12)
    np.testing.assert_allclose(result.objective, [[1 / 3]], rtol=1e-12)


def test_without_examples_the_result_is_zero():
    x, sign, scale = problem(5, 3, 2, 1.0)
    result = squared_hinge.minimise(x, sign, 0 * scale, np.zeros((3, 2)), 1e-6)
    np.testing.assert_array_equal(result.w, 0)
    np.testing.assert_array_equal(result.objective, 0)
