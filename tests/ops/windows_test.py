"""Pooling: every form is the same maximum, and its gradient goes to the largest."""

import functools

import jax
import numpy as np
import pytest

from transfer_jax.ops import windows

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
        y, pull = jax.vjp(lambda x: windows.max_pool(x, window, stride), x)
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


# Ceil mode by hand: (size, window, stride, padding) -> number of windows
PLACES = [
    ((11, 3, 2, 0), 5),
    ((12, 3, 2, 0), 6),  # rounding down would give 5
    ((7, 2, 2, 0), 4),
    ((5, 3, 1, 1), 5),
    ((3, 2, 2, 1), 2),  # a third window would begin after the image
]


@pytest.mark.parametrize('sizes, places', PLACES)
def test_ceil_mode_counts_windows_that_begin_inside(sizes, places):
    size, window, stride, padding = sizes
    x = np.random.default_rng(0).standard_normal((1, size, size, 1))
    pool = functools.partial(windows.max_pool, padding=padding, ceil=True)
    y = jax.jit(lambda x: pool(x, window, stride))(x)
    assert y.shape == (1, places, places, 1)
    for i, j in np.ndindex(places, places):
        a, b = i * stride - padding, j * stride - padding
        part = x[:, max(a, 0) : a + window, max(b, 0) : b + window]
        assert y[0, i, j, 0] == part.max()


def test_padding_is_below_every_number():
    x = np.full((1, 2, 2, 1), -5.0)
    y = jax.jit(lambda x: windows.max_pool(x, 3, 2, padding=1))(x)
    np.testing.assert_array_equal(y, [[[[-5.0]]]])


@pytest.mark.parametrize('window', [2, 3])
def test_of_equal_entries_one_has_the_gradient(window):
    x = np.zeros((1, 5, 5, 1))
    gradient = jax.jit(jax.grad(lambda x: windows.max_pool(x, window, 2).sum()))(x)
    assert gradient.sum() == 4  # windows
    assert set(np.unique(gradient)) <= {0, 1, 2, 4}


@pytest.mark.parametrize('window', [2, 3])
def test_entries_that_are_computed_again_lose_no_gradient(window):
    """Without LLVM's optimisations the two have different roundings."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 8, 8, 16)).astype(np.float32)
    scale, shift = rng.standard_normal((2, 16)).astype(np.float32)

    def loss(shift, scale, x):
        normal = (x - x.mean((0, 1, 2))) * jax.lax.rsqrt(x.var((0, 1, 2)))
        return windows.max_pool(normal * scale + shift, window, 2).sum()

    lowered = jax.jit(jax.grad(loss)).lower(shift, scale, x)
    compiled = lowered.compile({'xla_backend_optimization_level': 0})
    places = 4 * ((8 - window) // 2 + 1) ** 2
    np.testing.assert_array_equal(compiled(shift, scale, x), np.full(16, places))


@pytest.mark.parametrize('place', [(0, 0), (2, 1), (2, 2)])
def test_nan_is_seen(place):
    x = np.zeros((1, 3, 3, 1))
    x[0, *place] = np.nan
    assert np.isnan(jax.jit(lambda x: windows.max_pool(x, 3, 1))(x)).all()


def test_both_forms_agree():
    x = np.random.default_rng(0).standard_normal((2, 9, 8, 3))

    def run(form):
        return jax.jit(jax.value_and_grad(lambda x: (form(x, 3, 2) ** 2).sum()))(x)

    slices, window = run(windows.by_slices), run(windows.by_window)
    for one, other in zip(slices, window, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize('size', [1, 2, 3, 5, 7])
def test_average_pool_covers_the_map(size):
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 3))
    y = jax.jit(lambda x: windows.average_pool(x, size))(x)
    assert y.shape == (2, size, size, 3)
    for i, j in np.ndindex(size, size):
        rows = slice(int(np.floor(i * 5 / size)), int(np.ceil((i + 1) * 5 / size)))
        columns = slice(int(np.floor(j * 4 / size)), int(np.ceil((j + 1) * 4 / size)))
        expected = x[:, rows, columns].mean((1, 2))
        np.testing.assert_allclose(y[:, i, j], expected, rtol=1e-10, atol=1e-12)
