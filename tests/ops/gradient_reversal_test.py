"""Gradient reversal: the identity, with a gradient multiplied by -strength exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import ops

X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), jnp.float32)


def _loss(x, strength):
    return jnp.sum(jnp.sin(ops.reverse_gradient(x, strength)))


@pytest.mark.parametrize('strength', [0.0, 0.3, 1.0, jnp.asarray(0.3)])
def test_forward_is_the_identity_and_backward_is_reversed(strength):
    value, gradient = jax.jit(jax.value_and_grad(_loss))(X, strength)
    plain = jax.jit(jax.grad(lambda x: jnp.sum(jnp.sin(x))))(X)
    np.testing.assert_array_equal(ops.reverse_gradient(X, strength), X)
    np.testing.assert_allclose(value, jnp.sum(jnp.sin(X)), rtol=1e-6)
    np.testing.assert_array_equal(gradient, -jnp.float32(strength) * plain)


def test_a_tree_is_reversed_leaf_by_leaf():
    tree = {'a': X, 'b': (X[0], X[1].astype(jnp.bfloat16))}

    def loss(tree):
        out = ops.reverse_gradient(tree, 0.5)
        return sum(jnp.sum(leaf.astype(jnp.float32)) for leaf in jax.tree.leaves(out))

    gradient = jax.jit(jax.grad(loss))(tree)
    assert jax.tree.structure(gradient) == jax.tree.structure(tree)
    for leaf, x in zip(jax.tree.leaves(gradient), jax.tree.leaves(tree), strict=True):
        assert leaf.dtype == x.dtype
        np.testing.assert_array_equal(leaf.astype(jnp.float32), -0.5)


def test_strength_is_traced_and_has_no_gradient():
    traces = []

    @jax.jit
    def gradients(x, strength):
        traces.append(strength)
        return jax.grad(_loss, argnums=(0, 1))(x, strength)

    for strength in (0.1, 0.2, jnp.asarray(0.3, jnp.float32)):
        by_x, by_strength = gradients(X, jnp.asarray(strength, jnp.float32))
        np.testing.assert_array_equal(by_x, -jnp.float32(strength) * jnp.cos(X))
        assert by_strength == 0
    assert len(traces) == 1


def test_under_vmap_each_row_has_its_strength():
    strength = jnp.asarray([0.0, 0.5, 1.0, 2.0])
    both = jax.jit(jax.vmap(jax.grad(_loss)))(X, strength)
    one = jax.jit(jax.grad(_loss))
    one_by_one = [one(x, s) for x, s in zip(X, strength, strict=True)]
    np.testing.assert_array_equal(both, jnp.stack(one_by_one))


def test_under_pmap():
    gradient = jax.pmap(jax.grad(_loss), in_axes=(0, None))(X[None], 0.5)
    np.testing.assert_array_equal(gradient[0], jax.jit(jax.grad(_loss))(X, 0.5))


def test_twice_reversed_is_forward_again():
    def loss(x):
        return _loss(ops.reverse_gradient(x, 0.5), 2.0)

    np.testing.assert_array_equal(jax.jit(jax.grad(loss))(X), jnp.cos(X))
