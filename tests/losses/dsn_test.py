"""Losses of Domain Separation Networks in float64, against loops."""

import jax
import numpy as np
import pytest
from jax.test_util import check_grads

from transfer_jax import losses

pytestmark = pytest.mark.usefixtures('float64')
RNG = np.random.default_rng(0)
S, P = RNG.normal(1, 1, (5, 3)), RNG.normal(size=(5, 2))


def test_difference():
    def rows(x):
        x = [row - x.mean(0) for row in x]
        return [row / np.sqrt(sum(row**2)) for row in x]

    s, p = rows(S), rows(P)
    entries = [
        sum(s[i][a] * p[i][b] for i in range(5)) ** 2
        for a in range(3)
        for b in range(2)
    ]
    np.testing.assert_allclose(
        jax.jit(losses.difference)(S, P), np.mean(entries), rtol=1e-12
    )
    check_grads(losses.difference, (S, P), order=1, modes=['rev'])
    order = [4, 2, 0, 1, 3]
    actual = losses.difference(S[order], P[order])
    np.testing.assert_allclose(actual, np.mean(entries), rtol=1e-12)
    # The pairing of private and shared rows matters.
    assert abs(actual - losses.difference(S[order], P)) > 1e-3


def test_difference_of_uncorrelated_features_is_zero():
    shared = np.array([[1.0], [1], [-1], [-1]])
    private = np.array([[1.0], [-1], [1], [-1]])
    np.testing.assert_allclose(losses.difference(shared, private), 0, atol=1e-15)
    # The same feature twice: rows have length 1, and each of the four products is 1.
    np.testing.assert_allclose(losses.difference(shared, shared), 16, rtol=1e-12)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_constant_rows_stay_zero(dtype):
    """Also where rounding of the mean leaves a residue, which is not scaled up."""
    constant = np.tile(np.linspace(0.1, 37, 256).astype(dtype), (7, 1))
    private = RNG.normal(size=(7, 4)).astype(dtype)
    value, gradients = jax.jit(jax.value_and_grad(losses.difference, (0, 1)))(
        constant, private
    )
    assert value == 0
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, 0)


def test_scale_invariant_error():
    x, y = RNG.normal(size=(2, 3, 2, 2, 2))
    expected = []
    for a, b in zip(x, y, strict=True):
        gap = (a - b).ravel()
        products = [u * v for u in gap for v in gap]
        expected.append(sum(gap**2) / 8 - sum(products) / 64)
    actual = jax.jit(losses.scale_invariant_error)(x, y)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    check_grads(losses.scale_invariant_error, (x, y), order=1, modes=['rev'])
    np.testing.assert_allclose(losses.scale_invariant_error(x, x + 3), 0, atol=1e-12)
    with pytest.raises(AssertionError):
        losses.scale_invariant_error(x, y[:2])
