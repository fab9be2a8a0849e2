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
    return x @ y.T  # a kernel of which nobody knows that it is linear


def gaussian(x, y):
    return ops.gaussian_kernel(jnp.array([4.0]))(x, y)


def solved(settings, source, target, regularisation, g=None, extra=0):
    """(ours, Z, E); `extra` columns of random differences beside the means'."""

    @jax.jit
    def run(source, target, extra):
        pool = components.pool(settings, source, target)
        e = jnp.concatenate([components.between_means(source, target), extra], 1)
        return components.solve(settings, pool, e, regularisation, g), e

    n = len(source.x) + len(target.x)
    more = np.random.default_rng(5).normal(size=(n, extra))
    with jax.enable_x64(True):
        found, e = jax.tree.map(np.asarray, run(source, target, more - more.mean(0)))
        x = np.concatenate([source.x, target.x])
        z = x if settings.kernel is None else np.asarray(settings.kernel(x, x))
    return found, z, e


@pytest.mark.parametrize('kernel', [None, ops.linear_kernel, opaque_linear, gaussian])
@pytest.mark.parametrize('d', [5, 40])  # fewer than the examples, and more
def test_components_solve_the_generalised_problem(kernel, d):
    source, target = samples(0, 17, d), samples(1, 12, d, 0.4)
    g = None if kernel is None else np.random.default_rng(2).uniform(0.2, 3, 29)
    settings = Settings(4, kernel, False, False, True)
    found, z, e = solved(settings, source, target, 0.7, g, extra=2)

    h = centring(29)
    left, right = z.T @ h @ z, z.T @ e @ e.T @ z
    right = right + 0.7 * np.diag(np.ones(len(right)) if g is None else g)
    value, vector = scipy.linalg.eigh(left, right)
    expected = vector[:, ::-1][:, :4] / np.sqrt(value[::-1][:4])
    expected = expected * np.sign(np.sum(expected * found.a, 0))
    np.testing.assert_allclose(found.a, expected, atol=1e-9)
    np.testing.assert_allclose(found.z, z @ expected, atol=1e-9)
    np.testing.assert_allclose(found.z.T @ h @ found.z, np.eye(4), atol=1e-9)
    peak = np.abs(found.a).argmax(0)
    assert (found.a[peak, range(4)] > 0).all()


def test_without_whitening_columns_have_length_one():
    source, target = samples(0, 17, 5), samples(1, 12, 5)
    plain = solved(Settings(3, gaussian, False, False, False), source, target, 1.0)[0]
    white = solved(Settings(3, gaussian, False, False, True), source, target, 1.0)[0]
    length = np.linalg.norm(white.a, axis=0)
    np.testing.assert_allclose(plain.a, white.a / length, atol=1e-10)
    assert np.abs(length - 1).min() > 0.01


@pytest.mark.parametrize('kernel', [None, ops.linear_kernel, opaque_linear, gaussian])
def test_what_it_maps_later_is_what_it_mapped(kernel):
    source, target = samples(0, 11, 6), samples(1, 9, 6)
    settings = Settings(3, kernel, True, True, False)
    method = components.method(settings, 1.0, None)
    found = solved(settings, source, target, 1.0)[0]
    with jax.enable_x64(True):
        map_source, map_target = jax.jit(method.source), jax.jit(method.target)
        later = map_source(found.fitted, source.x)
        np.testing.assert_allclose(later, found.z[:11], atol=1e-10)
        later = map_target(found.fitted, target.x)
    np.testing.assert_allclose(later, found.z[11:], atol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(found.z, axis=1), 1, atol=1e-12)


@pytest.mark.parametrize('kernel', [None, ops.linear_kernel, opaque_linear])
def test_components_that_are_not_there_are_zero(kernel):
    source, target = samples(0, 4, 6), samples(1, 3, 6)
    source.x[:, 2:], target.x[:, 2:] = 0, 0  # two features vary
    found = solved(Settings(5, kernel, False, False, False), source, target, 1.0)[0]
    assert np.linalg.matrix_rank(found.a) == 2
    np.testing.assert_array_equal(found.a[:, 2:], 0)
    assert np.isfinite(found.z).all()
    for part in (source, target):
        part.x[:] = 3.0  # nothing varies
    found = solved(Settings(5, kernel, False, True, False), source, target, 1.0)[0]
    np.testing.assert_array_equal(found.z, 0)


@pytest.mark.parametrize('kernel', [None, ops.linear_kernel, gaussian])
def test_padding_makes_no_component(kernel):
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
    found = components.between_class_means(source, target)
    expected = [[0.5, 0, 0], [0.5, 0, 0], [0, 1, 0], [-1, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(found, expected)
    m = components.normalised(found)
    np.testing.assert_allclose(np.linalg.norm(m @ m.T), 1, rtol=1e-6)


def test_an_iteration_finds_what_a_decomposition_finds():
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
        for found in (
            leading.of_kernel(*map(jnp.asarray, (kernel, mask, scale, low)), k),
            leading.of_matrix(jnp.asarray(s), k),
        ):
            np.testing.assert_allclose(found[0], value[::-1][:k], rtol=1e-10)
            overlap = np.abs(np.sum(vector[:, ::-1][:, :k] * found[1], 0))
            np.testing.assert_allclose(overlap, 1, atol=1e-10)


def test_equal_eigenvalues_and_zero_matrices_are_solved():
    with jax.enable_x64(True):
        value, vector = leading.of_matrix(jnp.eye(300), 4)
        np.testing.assert_allclose(value, 1)
        np.testing.assert_allclose(vector.T @ vector, np.eye(4), atol=1e-12)
        value, vector = leading.of_matrix(jnp.zeros((300, 300)), 4)
        np.testing.assert_array_equal(value, 0)
        zero = jnp.zeros((300, 300)), jnp.ones(300), jnp.ones(300), jnp.zeros((300, 1))
        np.testing.assert_array_equal(leading.of_kernel(*zero, 4)[0], 0)


def test_a_dimension_that_cannot_be_is_refused():
    source, target = samples(0, 4, 9), samples(1, 3, 9)
    with pytest.raises(ValueError, match='dimension 10: the features have 1 to 9'):
        components.pool(Settings(10, None, True, True, False), source, target)
    with pytest.raises(ValueError, match='dimension 8: the examples have 1 to 7'):
        settings = Settings(8, ops.linear_kernel, True, True, False)
        components.pool(settings, source, target)
