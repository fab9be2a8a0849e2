"""Collectives over the axis 'data' if it is bound; the identity if it is not."""

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.ops import collective

X = jnp.arange(6.0).reshape(3, 2)


def test_without_the_axis_all_are_the_identity():
    assert not collective.bound()
    assert collective.devices() == 1
    for function in (
        collective.mean,
        collective.total,
        collective.gather,
        collective.own_rows,
    ):
        np.testing.assert_array_equal(jax.jit(function)(X), X)
    key = jax.random.key(0)
    assert jax.jit(collective.own_key)(key) == key


def test_over_the_axis():
    def over(function):
        return jax.vmap(function, axis_name=collective.AXIS)(X)

    assert over(lambda x: jnp.asarray(collective.bound())).all()
    np.testing.assert_array_equal(over(collective.mean), [[2, 3]] * 3)
    np.testing.assert_array_equal(over(collective.total), [[6, 9]] * 3)
    np.testing.assert_array_equal(over(collective.gather), [X.ravel()] * 3)

    assert (over(lambda x: jnp.asarray(collective.devices())) == 3).all()
    rows = over(lambda x: collective.own_rows(collective.gather(x)))
    np.testing.assert_array_equal(rows, X)

    def draw(x):
        return jax.random.uniform(collective.own_key(jax.random.key(0)))

    assert len(np.unique(over(draw))) == 3
