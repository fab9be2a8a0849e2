"""Binary cross-entropy of critics, by hand, in float64, and where it is delicate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from transfer_jax import losses


def test_by_hand():
    logits = jnp.asarray([0.0, np.log(3.0), np.log(3.0)])
    found = jax.jit(losses.binary_cross_entropy)(logits, jnp.asarray([1.0, 1.0, 0.0]))
    expected = [np.log(2), np.log(4 / 3), np.log(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_against_numpy_in_float64_with_soft_targets():
    z = np.linspace(-8, 8, 9)
    t = np.linspace(0, 1, 9)
    s = 1 / (1 + np.exp(-z))
    with jax.enable_x64(True):
        found = jax.jit(losses.binary_cross_entropy)(jnp.asarray(z), jnp.asarray(t))
        expected = -t * np.log(s) - (1 - t) * np.log(1 - s)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
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
