"""Shares of classes and background: by hand, and absent classes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import ops


def test_a_place_by_hand():
    maps = jnp.array([[[[4.0, 1.0, 9.0], [2.0, 2.0, 9.0], [-1.0, 0.2, 9.0]]]])
    present = jnp.array([[1, 1, 0]])
    actual = jax.jit(ops.with_background)(maps, present, 0.25)[0, 0]
    expected = np.array([[0.25, 1, 0.5, 0], [0.25, 0.5, 1, 0], [0.25, 0, 0.1, 0]])
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    assert actual.argmax(1).tolist() == [1, 2, 0]


def test_shares_add_up_and_a_map_without_a_positive_value_has_none():
    maps = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype(np.float32)
    maps[1, ..., 0] = -1.0
    actual = ops.with_background(maps, np.ones((3, 2)), 0.3)
    np.testing.assert_allclose(actual.sum(-1), 1, rtol=1e-5)
    assert actual.shape == (3, 4, 5, 3) and (actual[1, ..., 1] == 0).all()
    scaled = ops.with_background(7 * maps, np.ones((3, 2)), 0.3)
    np.testing.assert_allclose(scaled, actual, rtol=1e-5)


@pytest.mark.parametrize('background', [0, 1, 1.5])
def test_a_background_outside_of_0_to_1_is_refused(background):
    with pytest.raises(ValueError, match=f'background {background}'):
        ops.with_background(jnp.zeros((1, 2, 2, 1)), jnp.ones((1, 1)), background)
