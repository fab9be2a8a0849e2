"""Kernels, the median width and the order statistic, against loops and sorting."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from transfer_jax import ops

pytestmark = pytest.mark.usefixtures('float64')
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 3)), RNG.normal(1, 2, (4, 3))


def _distances(x, y):
    return np.array([[sum((a - b) ** 2) for b in y] for a in x])


def test_squared_distances():
    actual = jax.jit(ops.squared_distances)(X, Y)
    np.testing.assert_allclose(actual, _distances(X, Y), rtol=1e-12)
    check_grads(ops.squared_distances, (X, Y), order=1, modes=['rev'])


def test_distances_of_equal_rows_are_not_negative():
    x = RNG.normal(100, 1, (64, 50)).astype(np.float32)
    actual = jax.jit(ops.squared_distances)(x, x)
    assert actual.dtype == jnp.float32 and (actual >= 0).all()


def test_linear_kernel():
    expected = [[sum(a * b) for b in Y] for a in X]
    np.testing.assert_allclose(ops.linear_kernel(X, Y), expected, rtol=1e-12)


def test_gaussian_kernel_is_a_mean_of_gaussians():
    variances = [0.5, 2.0, 9.0]
    kernel = ops.gaussian_kernel(jnp.asarray(variances))
    each = [np.exp(-_distances(X, Y) / (2 * v)) for v in variances]
    np.testing.assert_allclose(jax.jit(kernel)(X, Y), sum(each) / 3, rtol=1e-12)
    np.testing.assert_allclose(jnp.diag(kernel(X, X)), 1, rtol=1e-12)
    check_grads(kernel, (X, Y), order=1, modes=['rev'])


@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float16])
def test_sixteen_bits_are_computed_in_float32(dtype):
    """Squares of numbers near 300 overflow float16, and bfloat16 has three digits."""
    x, y = (jnp.asarray(300 * sample, dtype) for sample in (X, Y))
    wide = [sample.astype(jnp.float32) for sample in (x, y)]
    for of in (
        lambda x, y: ops.squared_distances(x, y),
        lambda x, y: ops.linear_kernel(x, y),
        lambda x, y: ops.median_variance(x),
        lambda x, y: ops.multi_kernel(x)(x, y),
        lambda x, y: ops.order_statistic(x[0], 1),
    ):
        assert of(x, y).dtype == jnp.float32
        np.testing.assert_array_equal(of(x, y), of(*wide))
    assert np.isfinite(ops.median_variance(x))


# 1, 3, 6, 10, 15 and 21 pairs: an odd number, or an even one with two in the middle.
@pytest.mark.parametrize('n', [2, 3, 4, 5, 6, 7])
def test_median_variance_is_half_the_lower_median_of_the_pairs(n):
    x = RNG.normal(size=(n, 3))
    pairs = [sum((a - b) ** 2) for a, b in itertools.combinations(x, 2)]
    lower = np.median(pairs + [0.0]) if len(pairs) % 2 == 0 else np.median(pairs)
    np.testing.assert_allclose(jax.jit(ops.median_variance)(x), lower / 2, rtol=1e-12)
    actual = ops.median_variance(x.astype(np.float32))
    assert actual.dtype == jnp.float32
    np.testing.assert_allclose(actual, lower / 2, rtol=1e-5)


def test_median_variance_is_a_constant_in_gradients():
    np.testing.assert_array_equal(jax.grad(ops.median_variance)(X), 0)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('value', [0.0, 3.7, 1234.5])
def test_the_width_of_constant_rows_is_one(value, dtype):
    """Also where rounding makes their distances slightly positive."""
    rows = np.tile(np.linspace(value, 2 * value, 200).astype(dtype), (7, 1))
    assert ops.median_variance(rows) == 1
    assert ops.median_variance(rows[:1]) == 1


def test_a_small_spread_is_no_rounding():
    x = RNG.normal(0, 1e-8, (6, 3))
    pairs = [sum((a - b) ** 2) for a, b in itertools.combinations(x, 2)]
    np.testing.assert_allclose(ops.median_variance(x), np.median(pairs) / 2, rtol=1e-9)


@pytest.mark.parametrize(('count', 'factor'), [(1, 2.0), (3, 3.0), (5, 2.0)])
def test_multi_kernel_is_centred_on_the_median_width(count, factor):
    middle = float(ops.median_variance(X))
    powers = range(-(count // 2), count // 2 + 1)
    each = [np.exp(-_distances(X, Y) / (2 * middle * factor**k)) for k in powers]
    actual = jax.jit(lambda x: ops.multi_kernel(x, count, factor)(X, Y))(X)
    np.testing.assert_allclose(actual, sum(each) / count, rtol=1e-12)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_order_statistic_is_what_sorting_gives(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.concatenate(
        [
            [0, 0, 0, 1, 1, 1, 2, np.inf, np.finfo(dtype).max, tiny, -0.0],
            RNG.exponential(size=10),
            10.0 ** RNG.uniform(-30, 30, 10),
        ]
    ).astype(dtype)
    RNG.shuffle(x)
    find = jax.jit(ops.order_statistic)
    actual = jax.jit(jax.vmap(find, (None, 0)))(x, np.arange(len(x)))
    assert actual.dtype == dtype
    np.testing.assert_array_equal(actual, np.sort(x))
    assert find(np.full(9, 3.5, dtype), 4) == 3.5
