"""Pooling: every form is the same maximum, and its gradient goes to the largest."""

import jax
import numpy as np
import pytest

from transfer_jax.ops import pooling

pytestmark = pytest.mark.usefixtures('float64')


def _maxima(x, window, stride):
    n, h, w, c = x.shape
    rows, columns = (h - window) // stride + 1, (w - window) // stride + 1
    y = np.empty((n, rows, columns, c))
    for i in range(rows):
        for j in range(columns):
            a, b = i * stride, j * stride
            y[:, i, j] = x[:, a : a + window, b : b + window].max((1, 2))
    return y


# window = stride with and without a remainder, overlap, gaps
@pytest.mark.parametrize(
    'size, window, stride',
    [
        ((8, 6), 2, None),
        ((9, 7), 2, None),
        ((10, 11), 3, None),
        ((9, 8), 3, 2),
        ((9, 10), 2, 3),
    ],
)
def test_max_pool_is_the_maximum_of_each_window(size, window, stride):
    x = np.random.default_rng(0).standard_normal((2, *size, 3))
    g = np.random.default_rng(1)

    @jax.jit
    def run(x, g):
        y, pull = jax.vjp(lambda x: pooling.max_pool(x, window, stride), x)
        return y, pull(g)[0]

    expected = _maxima(x, window, stride or window)
    g = g.standard_normal(expected.shape)
    y, gradient = run(x, g)
    np.testing.assert_array_equal(y, expected)

    # All values differ: the gradient of a window goes to its one largest entry.
    routed = np.zeros_like(x)
    step = stride or window
    for i in range(expected.shape[1]):
        for j in range(expected.shape[2]):
            part = np.s_[:, i * step : i * step + window, j * step : j * step + window]
            largest = x[part] == expected[:, i, j][:, None, None]
            routed[part] += largest * g[:, i, j][:, None, None]
    np.testing.assert_allclose(gradient, routed, rtol=0, atol=1e-10)
