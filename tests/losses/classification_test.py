"""Cross-entropy against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from transfer_jax import losses

Z = np.random.default_rng(0).normal(0, 3, (5, 4))
LABEL = np.array([0, 3, 1, 1, 2])


def test_cross_entropy_by_hand():
    logits = jnp.log(jnp.asarray([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]))
    actual = jax.jit(losses.cross_entropy)(logits, jnp.asarray([1, 1]))
    np.testing.assert_allclose(actual, [np.log(4), -np.log(0.8)], rtol=1e-6)


def test_cross_entropy_and_its_gradient_in_float64():
    p = np.exp(Z) / np.exp(Z).sum(-1, keepdims=True)
    with jax.enable_x64(True):
        z, label = jnp.asarray(Z), jnp.asarray(LABEL)
        actual = jax.jit(losses.cross_entropy)(z, label)
        np.testing.assert_allclose(actual, -np.log(p[range(5), LABEL]), rtol=1e-12)
        gradient = jax.grad(lambda z: losses.cross_entropy(z, label).sum())(z)
        np.testing.assert_allclose(gradient, p - np.eye(4)[LABEL], atol=1e-12)
        check_grads(lambda z: losses.cross_entropy(z, label), (z,), 1, modes=['rev'])


def test_large_logits_stay_finite_and_half_precision_is_widened():
    logits = jnp.asarray([[1e4, -1e4]], jnp.float32)
    np.testing.assert_array_equal(losses.cross_entropy(logits, jnp.array([1])), 2e4)
    half = jnp.asarray(Z, jnp.bfloat16)
    assert losses.cross_entropy(half, jnp.asarray(LABEL)).dtype == jnp.float32


def test_misshapen_arguments_are_refused():
    with pytest.raises(AssertionError):
        losses.cross_entropy(jnp.zeros(3), jnp.zeros(3, int))
    with pytest.raises(AssertionError):
        losses.cross_entropy(jnp.zeros((3, 2)), jnp.zeros(2, int))


def test_several_labels_by_hand():
    logits = jnp.array([[0.0, 2.0, -1.0], [1.0, 5.0, 9.0]])
    label = jnp.array([[1, 0, 1], [1, -1, -1]])  # -1 is not counted
    actual = jax.jit(losses.multi_label_logistic)(logits, label)
    one = np.log([2, 1 + np.exp(2), 1 + np.exp(1)]).mean()
    np.testing.assert_allclose(actual, [one, np.log(1 + np.exp(-1))], rtol=1e-6)
    assert np.isfinite(losses.multi_label_logistic(1e4 * logits, label)).all()


def test_pixels_by_hand():
    logits = jnp.array([[[[0.0, 0.0], [0.0, np.log(3.0)]]], [[[1.0, 2.0]] * 2]])
    label = jnp.array([[[0, 1]], [[255, 255]]])
    actual = jax.jit(losses.pixel_cross_entropy)(logits, label)
    expected = [(np.log(2) - np.log(0.75)) / 2, 0]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
