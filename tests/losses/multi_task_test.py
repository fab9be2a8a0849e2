"""Losses of several tasks, by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import losses


def test_examples_without_a_label_have_no_loss_and_no_gradient():
    logits = jnp.asarray([[0.0, 0.0], [jnp.log(3.0), 0.0], [5.0, -5.0]])
    label = jnp.asarray([1, 0, losses.UNKNOWN])
    actual = jax.jit(losses.known_cross_entropy)(logits, label)
    np.testing.assert_allclose(actual, [np.log(2), np.log(4 / 3), 0.0], rtol=1e-6)
    slope = jax.grad(lambda x: losses.known_cross_entropy(x, label).sum())(logits)
    np.testing.assert_allclose(slope[0], [0.5, -0.5], rtol=1e-6)
    np.testing.assert_array_equal(slope[2], 0)


def test_uncertainty_by_hand():
    loss, s = jnp.asarray([0.5, 0.5, 2.0]), jnp.asarray([0.0, np.log(2.0), -0.5])
    actual = losses.uncertainty_weighted(loss, s)
    # s = log 2: a quarter of the loss, and log 2
    expected = [0.5, 0.125 + np.log(2), 2 * np.e - 0.5]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_the_best_variance_is_twice_the_loss():
    loss = jnp.asarray(0.3)
    best = 0.5 * jnp.log(2 * loss)
    slope = jax.grad(losses.uncertainty_weighted, argnums=1)
    np.testing.assert_allclose(slope(loss, best), 0.0, atol=1e-6)
    assert slope(loss, best - 0.1) < 0 < slope(loss, best + 0.1)
