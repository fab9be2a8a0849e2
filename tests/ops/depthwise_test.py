"""Depthwise convolution with a large window: values and gradients are XLA's."""

import jax
import numpy as np
import pytest

from transfer_jax import ops
from transfer_jax.ops import convolution
from transfer_jax.ops.depthwise import depthwise


@pytest.mark.parametrize('window, padding', [((7, 7), 3), ((5, 7), 1), ((5, 5), 0)])
def test_it_and_its_gradients_are_those_of_xla(window, padding):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 8, 9, 3)).astype(np.float32)
    kernel = rng.normal(size=(*window, 1, 3)).astype(np.float32)

    def both(function):
        value, pull = jax.vjp(function, x, kernel)
        weights = rng.normal(size=value.shape).astype(np.float32)
        return value, pull, weights

    value, pull, weights = both(lambda x, k: depthwise(x, k, padding))
    expected, reference, _ = both(
        lambda x, k: convolution.by_xla(x, k, padding=padding, groups=3)
    )
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
    for a, b in zip(pull(weights), reference(weights), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_gradients_of_gradients_exist():
    """As gradient penalties need them; those of XLA's form."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 6, 6, 2)).astype(np.float32)
    kernel = rng.normal(size=(5, 5, 1, 2)).astype(np.float32)

    def penalty(function):
        def norm(k):
            slope = jax.grad(lambda x: jax.numpy.sin(function(x, k)).sum())(x)
            return (slope**2).sum()

        return jax.grad(norm)(kernel)

    ours = penalty(lambda x, k: depthwise(x, k, 2))
    xla = penalty(lambda x, k: convolution.by_xla(x, k, padding=2, groups=2))
    np.testing.assert_allclose(ours, xla, rtol=1e-3, atol=1e-3)


@pytest.mark.cpu('the choice is that of the CPU')
def test_convolve_uses_it_for_large_windows_of_stride_1(monkeypatch):
    used = []

    def note(x, kernel, padding):
        used.append(kernel.shape[0])
        return depthwise(x, kernel, padding)

    monkeypatch.setattr(convolution, 'depthwise', note)
    x = np.ones((1, 16, 16, 2), np.float32)
    for window, options in (
        (3, {}),
        (5, {}),
        (7, {'padding': 3}),
        (7, {'padding': 7}),
        (5, {'stride': 2}),
        (5, {'dilation': 2}),
        (5, {'padding': 'SAME'}),
    ):
        ops.convolve(
            x, np.ones((window, window, 1, 2), np.float32), groups=2, **options
        )
    assert used == [5, 7]
