"""Entropy and mutual information of predictions, by hand and against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

from transfer_jax import ops


def _softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_entropy_by_hand():
    logits = jnp.log(jnp.asarray([[0.5, 0.25, 0.25], [1 / 3] * 3]))
    actual = jax.jit(ops.entropy)(logits)
    expected = [1.5 * np.log(2), np.log(3)]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_entropy_of_a_sure_prediction_is_zero_with_a_finite_gradient():
    logits = jnp.asarray([[1000.0, 0.0, -1000.0]])
    value, gradient = jax.jit(jax.value_and_grad(lambda z: jnp.sum(ops.entropy(z))))(
        logits
    )
    assert value == 0 and np.isfinite(gradient).all()


def test_entropy_in_float64():
    z = np.random.default_rng(0).normal(0, 3, (6, 5))
    p = _softmax(z)
    with jax.enable_x64(True):
        actual = jax.jit(ops.entropy)(jnp.asarray(z))
        np.testing.assert_allclose(actual, -(p * np.log(p)).sum(-1), rtol=1e-12)
        check_grads(ops.entropy, (jnp.asarray(z),), order=1, modes=['rev'])


def test_mutual_information_by_hand():
    sure = 1000 * jnp.eye(4)  # confident, and all classes are predicted: log 4
    same = jnp.tile(1000 * jnp.eye(4)[:1], (4, 1))  # confident, one class: 0
    blank = jnp.zeros((4, 4))  # uninformative: 0
    for logits, expected in [(sure, np.log(4)), (same, 0.0), (blank, 0.0)]:
        actual = jax.jit(ops.mutual_information)(logits)
        np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_mutual_information_without_a_class_has_a_finite_gradient():
    logits = 1000 * jnp.eye(4)[jnp.array([0, 1, 1])]  # two classes have probability 0
    value, gradient = jax.jit(jax.value_and_grad(ops.mutual_information))(logits)
    np.testing.assert_allclose(value, np.log(3) - 2 / 3 * np.log(2), rtol=1e-6)
    assert np.isfinite(gradient).all()


def test_mutual_information_against_numpy_and_mask():
    z = np.random.default_rng(1).normal(0, 2, (7, 3))
    mask = np.array([1, 1, 0, 1, 1, 0, 1.0])
    p = _softmax(z[mask > 0])
    m = p.mean(0)
    expected = -(m * np.log(m)).sum() + (p * np.log(p)).sum(-1).mean()
    with jax.enable_x64(True):
        actual = jax.jit(ops.mutual_information)(jnp.asarray(z), jnp.asarray(mask))
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
