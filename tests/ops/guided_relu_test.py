"""The rectifier of guided backpropagation, against gradients by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import ops


def test_only_positive_gradients_at_positive_inputs_go_on():
    x = jnp.array([1.0, 2.0, -1.0, -2.0, 0.0])
    dy = jnp.array([3.0, -4.0, 5.0, -6.0, 7.0])
    y, back = jax.vjp(jax.jit(ops.guided_relu), x)
    np.testing.assert_array_equal(y, [1, 2, 0, 0, 0])
    np.testing.assert_array_equal(back(dy)[0], [3, 0, 0, 0, 0])


def test_two_layers_by_hand():
    """Hidden (1, 2) of x = (1, 1); what goes back through the -1 is held back.

    h = relu(A x) = relu((2 - 1, 1 + 1)) = (1, 2) and y = relu(4 h_1 - h_2) = 2.
    Backward: dy/dh = (4, -1), of which (4, 0) passes, so A^T (4, 0) = (8, -4).
    The gradient itself is A^T (4, -1) = (7, -5).
    """
    first, second = jnp.array([[2.0, -1.0], [1.0, 1.0]]), jnp.array([4.0, -1.0])

    def net(x, relu):
        return relu(second @ relu(first @ x))

    x = jnp.ones(2)
    guided = jax.jit(jax.grad(lambda x: net(x, ops.guided_relu)))(x)
    plain = jax.jit(jax.grad(lambda x: net(x, jax.nn.relu)))(x)
    np.testing.assert_array_equal(guided, [8, -4])
    np.testing.assert_array_equal(plain, [7, -5])


def test_the_type_of_the_input_stays():
    x = jnp.ones((2, 3), jnp.bfloat16)
    assert jax.jit(jax.grad(lambda x: ops.guided_relu(x).sum()))(x).dtype == x.dtype
