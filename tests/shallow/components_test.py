"""The shared projection against a dense generalised eigenproblem."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from transfer_jax import ops
from transfer_jax.shallow import components, leading
from transfer_jax.shallow.components import Settings
from transfer_jax.types import Samples


def samples(seed, n, d, mean=0.0):
    x = np.random.default_rng(seed).normal(mean, 1, (n, d)) * np.linspace(2, 0.5, d)
    return Samples(x, np.arange(n) % 3, np.ones(n))


def centring(n):
    return np.eye(n) - 1 / n


def opaque_linear(x, y):
    return x @ y.T  # a linear kernel that is not recognised as one


def gaussian(x, y):
    return ops.gaussian_kernel(jnp.array([4.0]))(x, y)


def solved(settings, source, target, regularisation, g=None, extra=0):
    """(solution, Z, E); E has `extra` columns of random differences."""

    @jax.jit
    def run(source, target, extra):
        pool = components.pool(settings, source, target)
        e = jnp.concatenate([components.mean_difference(source, target), extra], 1)
        return components.solve(settings, pool, e, regularisation, g), e

    n = len(source.x) + len(target.x)
    more = np.random.default_rng(5).normal(size=(n, extra))
    with jax.enable_x64(True):
        result, e = jax.tree.map(np.asarray, run(source, target, more - more.mean(0)))
        x = np.concatenate([source.x, target.x])
        z = x if settings.kernel is None else np.asarray(settings.kernel(x, x))
    return result, z, e


@pytest.mark.parametrize('kernel', [None, ops.linear_kernel, opaque_linear, gaussian])
@pytest.mark.parametrize('d', [5, 40])  # fewer than the examples, and more
def test_components_solve_the_generalised_problem(kernel, d):
    source, target = samples(0, 17, d), samples(1, 12, d, 0.4)
    g = None if kernel is None else np.random.default_rng(2).uniform(0.2, 3, 29)
    settings = Settings(4, kernel, False, False, True)
    result, z, e = solved(settings, source, target, 0.7, g, extra=2)

    h = centring(29)
    left, right = z.T @ h @ z, z.T @ e @ e.T @ z
    right = right + 0.7 * np.diag(np.ones(len(right)) if g is None else g)
    value, vector = scipy.linalg.eigh(left, right)
    expected = vector[:, ::-1][:, :4] / np.sqrt(value[::-1][:4])
    expected = expected * np.sign(np.sum(expected * result.a, 0))
    np.testing.assert_allclose(result.a, expected, atol=1e-9)
    np.testing.assert_allclose(result.z, z @ expected, atol=1e-9)
    np.testing.assert_allclose(result.z.T @ h @ result.z, np.eye(4), atol=1e-9)
    peak = np.abs(result.a).argmax(0)
    assert (result.a[peak, range(4)] > 0).all()


def test_without_whitening_columns_have_length_one():
    source, target = samples(0, 17, 5), samples(1, 12, 5)
    plain = solved(Settings(3, gaussian, False, False, False), source, target, 1.0)[0]
    white = solved(Settings(3, gaussian, False, False, True), source, target, 1.0)[0]
    length = np.linalg.norm(white.a, axis=0)
    np.testing.assert_allclose(plain.a, white.a / length, atol=1e-10)
    assert np.abs(length - 1).min() > 0.01


@pytest.mark.parametrize('kernel', [None, ops.linear_kernel, opaque_linear, gaussian])
def test_new_examples_are_mapped_as_in_the_fit(kernel):
    source, target = samples(0, 11, 6), samples(1, 9, 6)
    settings = Settings(3, kernel, True, True, False)
    method = components.method(settings, 1.0, None)
    result = solved(settings, source, target, 1.0)[0]
    with jax.enable_x64(True):
        map_source, map_target = jax.jit(method.source), jax.jit(method.target)
        later = map_source(result.fitted, source.x)
        np.testing.assert_allclose(later, result.z[:11], atol=1e-10)
        later = map_target(result.fitted, target.x)
    np.testing.assert_allclose(later, result.z[11:], atol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(result.z, axis=1), 1, atol=1e-12)


@pytest.mark.parametrize('kernel', [None, ops.linear_kernel, opaque_linear])
def test_missing_components_are_zero(kernel):
    source, target = samples(0, 4, 6), samples(1, 3, 6)
    source.x[:, 2:], target.x[:, 2:] = 0, 0  # two features vary
    result = solved(Settings(5, kernel, False, False, False), source, target, 1.0)[0]
    assert np.linalg.matrix_rank(result.a) == 2
    np.testing.assert_array_equal(result.a[:, 2:], 0)
    assert np.isfinite(result.z).all()
    for part in (source, target):
        part.x[:] = 3.0  # nothing varies
    result = solved(Settings(5, kernel, False, True, False), source, target, 1.0)[0]
    np.testing.assert_array_equal(result.z, 0)


@pytest.mark.parametrize('kernel', [None, ops.linear_kernel, gaussian])
def test_padding_does_not_affect_components(kernel):
    source, target = samples(0, 8, 5, 2.0), samples(1, 7, 5, 1.0)

    def fill(part):
        x = np.concatenate([part.x, np.full((6, 5), 1e3)])
        return Samples(x, np.zeros(len(x), int), np.r_[part.mask, np.zeros(6)])

    settings = Settings(3, kernel, False, False, False)
    plain = solved(settings, source, target, 1.0)[0]
    wide = solved(settings, fill(source), fill(target), 1.0)[0]
    np.testing.assert_allclose(wide.z[:8], plain.z[:8], atol=1e-9)
    np.testing.assert_allclose(wide.z[14:21], plain.z[8:], atol=1e-9)


def test_class_means_without_examples_are_left_out():
    source = jnp.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    target = jnp.array([[1.0, 0, 0], [0, 0, 0]])
    result = components.class_mean_differences(source, target)
    expected = [[0.5, 0, 0], [0.5, 0, 0], [0, 1, 0], [-1, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(result, expected)
    m = components.normalised(result)
    np.testing.assert_allclose(np.linalg.norm(m @ m.T), 1, rtol=1e-6)


def test_lanczos_agrees_with_a_decomposition():
    rng = np.random.default_rng(0)
    n, k = 260, 5  # large enough for Lanczos
    root = rng.normal(size=(n, 40)) * np.linspace(3, 0.1, 40)
    kernel, mask = root @ root.T, np.ones(n)
    mask[-9:] = 0
    kernel = kernel * mask[:, None] * mask
    scale, low = rng.uniform(0.5, 1, n), rng.normal(size=(n, 2)) / 30
    h = np.diag(mask) - np.outer(mask, mask) / mask.sum()
    p = scale[:, None] * (np.eye(n) - low @ low.T)
    s = p.T @ kernel @ h @ kernel @ p
    value, vector = np.linalg.eigh((s + s.T) / 2)
    with jax.enable_x64(True):
        for result in (
            leading.top_kernel_eigenpairs(
                *map(jnp.asarray, (kernel, mask, scale, low)), k
            ),
            leading.top_eigenpairs(jnp.asarray(s), k),
        ):
            np.testing.assert_allclose(result[0], value[::-1][:k], rtol=1e-10)
            overlap = np.abs(np.sum(vector[:, ::-1][:, :k] * result[1], 0))
            np.testing.assert_allclose(overlap, 1, atol=1e-10)


def test_equal_eigenvalues_and_zero_matrices_are_solved():
    with jax.enable_x64(True):
        value, vector = leading.top_eigenpairs(jnp.eye(300), 4)
        np.testing.assert_allclose(value, 1)
        np.testing.assert_allclose(vector.T @ vector, np.eye(4), atol=1e-12)
        value, vector = leading.top_eigenpairs(jnp.zeros((300, 300)), 4)
        np.testing.assert_array_equal(value, 0)
        zero = jnp.zeros((300, 300)), jnp.ones(300), jnp.ones(300), jnp.zeros((300, 1))
        np.testing.assert_array_equal(leading.top_kernel_eigenpairs(*zero, 4)[0], 0)


def test_an_invalid_dimension_is_refused():
    source, target = samples(0, 4, 9), samples(1, 3, 9)
    with pytest.raises(ValueError, match='dimension 10: the features have 1 to 9'):
        components.pool(Settings(10, None, True, True, False), source, target)
    with pytest.raises(ValueError, match='dimension 8: the examples have 1 to 7'):
        settings = Settings(8, ops.linear_kernel, True, True, False)
        components.pool(settings, source, target)
