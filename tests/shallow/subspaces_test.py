"""Principal directions and vectors against NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg
from scipy.sparse import linalg as sparse

from transfer_jax.shallow import leading, subspaces


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def orthonormal(seed, d, k):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, k)))[0]


def rotated(basis, angles, seed=5):
    """A basis at these principal angles from `basis`, in another frame."""
    d, k = basis.shape
    rng = np.random.default_rng(seed)
    apart = linalg.null_space(basis.T)[:, :k]
    frame = np.linalg.qr(rng.normal(size=(k, k)))[0]
    return (basis * np.cos(angles) + apart * np.sin(angles)) @ frame


@pytest.mark.parametrize(('n', 'd'), [(12, 7), (7, 12), (700, 340), (340, 700)])
def test_directions_and_scatter_are_those_of_a_singular_value_decomposition(n, d):
    rng = np.random.default_rng(0)
    x = rng.normal(1, 1, (n, d)) * np.linspace(3, 0.2, d)
    result = jax.jit(subspaces.principal, static_argnums=2)(x, np.ones(n), 5)
    _, values, vectors = np.linalg.svd(x - x.mean(0), full_matrices=False)
    np.testing.assert_allclose(result.scatter, values[:5] ** 2, rtol=1e-11)
    sign = np.sign(np.sum(result.directions * vectors[:5].T, 0))
    np.testing.assert_allclose(result.directions, vectors[:5].T * sign, atol=1e-10)
    np.testing.assert_allclose(result.mean, x.mean(0), atol=1e-13)


def test_padding_of_any_size_changes_no_direction():
    x = np.random.default_rng(0).normal(size=(9, 5))
    filled = np.concatenate([x, np.full((3, 5), 1e6)])
    mask = np.array([1.0] * 9 + [0.0] * 3)
    plain = subspaces.principal_directions(x, np.ones(9), 3)
    result = subspaces.principal_directions(filled, mask, 3)
    np.testing.assert_allclose(np.abs(result.T @ plain), np.eye(3), atol=1e-12)


def test_directions_beyond_the_rank_are_zero():
    x = np.random.default_rng(0).normal(size=(3, 8))
    result = np.asarray(subspaces.principal_directions(x, np.ones(3), 6))
    np.testing.assert_allclose(
        result.T @ result, np.diag([1, 1, 0, 0, 0, 0]), atol=1e-12
    )
    alone = subspaces.principal_directions(x[:1], np.ones(1), 2)
    assert not np.any(alone)


@pytest.mark.parametrize('size', [250, 350, 600])
def test_leading_eigenvectors_of_repeated_eigenvalues_span_their_space(size):
    basis = orthonormal(0, size, size)
    value = np.where(np.arange(size) < 20, 5.0, 0.1)
    value[:3] = 9, 8, 7
    matrix = (basis * value) @ basis.T
    result, vectors = jax.jit(leading.top_eigenpairs, static_argnums=1)(matrix, 20)
    np.testing.assert_allclose(result, value[:20], atol=1e-12)
    projector = basis[:, :20] @ basis[:, :20].T
    np.testing.assert_allclose(vectors @ vectors.T, projector, atol=1e-11)


def test_a_missed_copy_of_an_eigenvalue_is_detected(monkeypatch):
    size = 600
    basis = orthonormal(0, size, size)
    value = np.linspace(1, 0, size)
    matrix = (basis * value) @ basis.T
    solve = sparse.eigsh

    def forgetful(given, count, **options):
        value, vector = solve(given, count + (count > 1), **options)
        keep = [0, *range(2, count + 1)] if count > 1 else [0]
        return value[keep], vector[:, keep]

    assert leading._iterate(matrix, 10) is not None
    value[:12] += 3 * np.arange(12, 0, -1)
    matrix = (basis * value) @ basis.T
    monkeypatch.setattr(sparse, 'eigsh', forgetful)
    assert leading._iterate(matrix, 10) is None
    result, _ = leading.top_eigenpairs(jnp.asarray(matrix), 10)
    np.testing.assert_allclose(result, value[:10], atol=1e-10)


def test_vmap_works_through_the_host_callback():
    matrices = np.stack([np.diag(np.arange(320.0) * s) for s in (1, 2)])
    value, _ = jax.vmap(lambda m: leading.top_eigenpairs(m, 3))(matrices)
    np.testing.assert_allclose(value, [[319, 318, 317], [638, 636, 634]], rtol=1e-12)


def test_angles_of_constructed_bases_are_recovered():
    angles = np.array([0, 1e-12, 1e-9, 1e-5, 0.3, 0.3, 1.2, np.pi / 2])
    a = orthonormal(0, 20, 8)
    result = jax.jit(subspaces.principal_vectors)(a, rotated(a, angles))
    # A few roundings of float64, which differ from one processor to another
    np.testing.assert_allclose(result.angle, angles, atol=4e-15, rtol=1e-6)
    np.testing.assert_allclose(
        result.a.T @ result.b, np.diag(np.cos(angles)), atol=1e-8
    )
    for ours, given in ((result.a, a), (result.b, rotated(a, angles))):
        np.testing.assert_allclose(ours @ ours.T, given @ given.T, atol=1e-13)
    assert np.all(result.paired)


def test_angles_of_generic_subspaces_are_those_of_scipy():
    a, b = orthonormal(0, 15, 6), orthonormal(1, 15, 6)
    result = subspaces.principal_vectors(a, b)
    np.testing.assert_allclose(result.angle[::-1], linalg.subspace_angles(a, b))


def test_missing_directions_have_no_partner():
    a, b = orthonormal(0, 15, 6), orthonormal(1, 15, 6)
    b[:, 4:] = 0
    result = subspaces.principal_vectors(a, b)
    assert result.paired.tolist() == [True] * 4 + [False] * 2
    np.testing.assert_allclose(
        result.angle[:4][::-1], linalg.subspace_angles(a, b[:, :4])
    )
    np.testing.assert_allclose(result.b @ result.b.T, b @ b.T, atol=1e-13)
    assert not np.any(result.a[:, 4:])


def test_orthogonal_directions_are_not_mistaken_for_missing_ones():
    a, b = np.eye(8)[:, :4], np.eye(8)[:, 4:]
    a[:, 2:], b[:, 3:] = 0, 0
    result = subspaces.principal_vectors(a, b)
    assert result.paired.tolist() == [True, True, False, False]
    np.testing.assert_allclose(result.angle[:2], np.pi / 2)
    np.testing.assert_allclose(result.a @ result.a.T, a @ a.T, atol=1e-13)
    none = subspaces.principal_vectors(jnp.zeros((8, 4)), b)
    assert not np.any(none.paired) and not np.any(none.angle)
