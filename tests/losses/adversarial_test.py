"""Adversarial losses: by hand, against NumPy in float64, and at delicate points."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from transfer_jax import losses


def test_by_hand():
    logits = jnp.asarray([0.0, np.log(3.0), np.log(3.0)])
    actual = jax.jit(losses.binary_cross_entropy)(logits, jnp.asarray([1.0, 1.0, 0.0]))
    expected = [np.log(2), np.log(4 / 3), np.log(4)]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_against_numpy_in_float64_with_soft_targets():
    z = np.linspace(-8, 8, 9)
    t = np.linspace(0, 1, 9)
    s = 1 / (1 + np.exp(-z))
    with jax.enable_x64(True):
        actual = jax.jit(losses.binary_cross_entropy)(jnp.asarray(z), jnp.asarray(t))
        expected = -t * np.log(s) - (1 - t) * np.log(1 - s)
        np.testing.assert_allclose(actual, expected, rtol=1e-12)
        check_grads(
            lambda z: losses.binary_cross_entropy(z, jnp.asarray(t)),
            (jnp.asarray(z),),
            order=1,
            modes=['rev'],
        )


@pytest.mark.parametrize('target', [0.0, 0.25, 1.0])
def test_the_gradient_at_zero_is_exact(target):
    def loss(z):
        return losses.binary_cross_entropy(z, target).sum()

    gradient = jax.jit(jax.grad(loss))(jnp.zeros(3))
    np.testing.assert_array_equal(gradient, 0.5 - target)


def test_large_logits_stay_finite():
    logits = jnp.asarray([1e4, -1e4], jnp.float32)
    np.testing.assert_array_equal(losses.binary_cross_entropy(logits, 0.0), [1e4, 0])
    np.testing.assert_array_equal(losses.binary_cross_entropy(logits, 1.0), [0, 1e4])


def test_half_precision_is_widened():
    half = jnp.zeros(2, jnp.bfloat16)
    assert losses.binary_cross_entropy(half, 1.0).dtype == jnp.float32


def test_a_column_of_logits_is_refused():
    with pytest.raises(AssertionError):
        losses.binary_cross_entropy(jnp.zeros((3, 1)), jnp.zeros(3))


RNG = np.random.default_rng(0)
F, P = RNG.normal(size=(4, 3)), RNG.dirichlet(np.ones(2), 4)


def test_confusion(float64):
    z = np.array([0.0, np.log(3.0), -2.0])
    s = 1 / (1 + np.exp(-z))
    expected = -(np.log(s) + np.log(1 - s)) / 2
    np.testing.assert_allclose(
        jax.jit(losses.domain_confusion)(z), expected, rtol=1e-12
    )
    assert np.argmin(expected) == 0 and np.isclose(expected[0], np.log(2))
    check_grads(losses.domain_confusion, (z,), order=1, modes=['rev'])


def test_wasserstein(float64):
    source, target = np.array([1.0, 2.0, 6.0]), np.array([-1.0, 2.0])
    np.testing.assert_allclose(losses.wasserstein(source, target), 3 - 0.5)
    assert losses.wasserstein(source, source[::-1]) == 0
    check_grads(losses.wasserstein, (source, target), order=1, modes=['rev'])
    with pytest.raises(AssertionError):
        losses.wasserstein(source[:, None], target[:, None])


def test_gradient_penalty_of_a_plane(float64):
    """A critic of slope 5 everywhere."""
    actual = losses.gradient_penalty(lambda x: x @ jnp.array([3.0, 0.0, -4.0]), F)
    np.testing.assert_allclose(actual, 16, rtol=1e-12)


def test_gradient_penalty(float64):
    """A critic sum_j a_j sin(x_j), whose gradient is (a_j cos x_j)_j."""
    a = jnp.array([0.5, 2.0, -1.0])

    def penalty(x, a):
        return losses.gradient_penalty(lambda x: jnp.sin(x) @ a, x)

    lengths = [np.sqrt(sum((a * np.cos(x)) ** 2)) for x in F]
    expected = [(length - 1) ** 2 for length in lengths]
    np.testing.assert_allclose(jax.jit(penalty)(F, a), expected, rtol=1e-12)
    check_grads(penalty, (jnp.asarray(F), a), order=1, modes=['rev'])


def test_gradient_penalty_of_a_flat_critic_has_a_finite_gradient(float64):
    def penalty(a):
        return losses.gradient_penalty(lambda x: x @ a, F).sum()

    value, gradient = jax.value_and_grad(penalty)(jnp.zeros(3))
    assert value == 4
    np.testing.assert_array_equal(gradient, 0)


def test_multilinear(float64):
    expected = [[f * p for f in a for p in b] for a, b in zip(F, P, strict=True)]
    np.testing.assert_allclose(losses.multilinear(F, P), expected, rtol=1e-12)
    check_grads(losses.multilinear, (F, P), order=1, modes=['rev'])


def test_random_multilinear(float64):
    maps = RNG.normal(size=(3, 5)), RNG.normal(size=(2, 5))
    actual = losses.random_multilinear(F, P, maps=maps)
    for i, k in np.ndindex(4, 5):
        product = sum(F[i] * maps[0][:, k]) * sum(P[i] * maps[1][:, k])
        np.testing.assert_allclose(actual[i, k], product / np.sqrt(5), rtol=1e-12)
    check_grads(
        lambda f, p: losses.random_multilinear(f, p, maps=maps),
        (F, P),
        order=1,
        modes=['rev'],
    )


def test_random_multilinear_keeps_inner_products_on_average(float64):
    """Exactly for the mean over all maps of signs, nearly with many Gaussian maps."""
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=5))).T  # (5, 32)
    full = losses.multilinear(F, P)
    every = losses.random_multilinear(F, P, maps=(signs[:3], signs[3:]))
    np.testing.assert_allclose(every @ every.T, full @ full.T, rtol=1e-12)
    drawn = tuple(RNG.normal(size=(d, 100_000)) for d in (3, 2))
    some = losses.random_multilinear(F, P, maps=drawn)
    np.testing.assert_allclose(some @ some.T, full @ full.T, atol=0.05)


def test_certainty(float64):
    p = np.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.25, 0.25]])
    expected = [2, 1 + 1 / 3, 1 + 2**-1.5]
    np.testing.assert_allclose(jax.jit(losses.certainty)(p), expected, rtol=1e-12)
    check_grads(losses.certainty, (p[1:],), order=1, modes=['rev'])
    # d w_i / d p_ij = exp(-H) (1 + log p_ij); finite where p is 0.
    gradient = jax.grad(lambda p: losses.certainty(p).sum())(p)
    np.testing.assert_allclose(gradient[2], 2**-1.5 * (1 + np.log(p[2])), rtol=1e-12)
    assert np.isfinite(gradient).all()


def test_classifier_discrepancy(float64):
    one, other = np.log([[0.5, 0.25, 0.25]]), np.log([[0.1, 0.8, 0.1]])
    actual = jax.jit(losses.classifier_discrepancy)(one, other)
    np.testing.assert_allclose(actual, [(0.4 + 0.55 + 0.15) / 3], rtol=1e-12)
    np.testing.assert_array_equal(losses.classifier_discrepancy(one, one), 0)
    check_grads(losses.classifier_discrepancy, (one, other), order=1, modes=['rev'])
