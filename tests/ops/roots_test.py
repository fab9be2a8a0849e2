"""Roots at zero."""

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import ops


def test_a_root_and_its_gradient_also_at_zero():
    x = jnp.array([4.0, 0.0, 9.0])
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(ops.safe_sqrt)))(x)
    np.testing.assert_allclose(value, [2, 0, 3], rtol=1e-6)
    np.testing.assert_allclose(slope, [1 / 4, 0, 1 / 6], rtol=1e-6)
