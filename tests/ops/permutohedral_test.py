"""The permutohedral lattice: its geometry, and its filter against the exact one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from transfer_jax import ops
from transfer_jax.ops import permutohedral

RNG = np.random.default_rng(0)


@pytest.mark.parametrize('d', [1, 2, 5])
def test_a_point_lies_in_its_simplex(d):
    """Its barycentric coordinates are not negative, sum to 1 and reproduce it."""
    plane = permutohedral._plane(d)
    np.testing.assert_allclose(plane.T @ plane, np.eye(d), atol=1e-12)
    np.testing.assert_allclose(plane.sum(0), 0, atol=1e-12)
    x = RNG.normal(0, 9, (500, d)) @ plane.T
    origin, rank, weights = permutohedral._simplices(x)
    assert weights.min() >= -1e-12
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-12)
    np.testing.assert_array_equal(np.sort(rank, 1), np.tile(np.arange(d + 1), (500, 1)))
    corners = [(d + 1) * origin + k - (d + 1) * (rank > d - k) for k in range(d + 1)]
    assert all((c.sum(1) == 0).all() for c in corners)
    back = sum(w[:, None] * c for w, c in zip(weights.T, corners, strict=True))
    np.testing.assert_allclose(back, x, atol=1e-9)


def test_points_by_vertex_are_the_vertices_of_the_points():
    x = np.concatenate([RNG.normal(size=(60, 3)), np.zeros((20, 3))])  # some coincide
    lattice = permutohedral.build(x)
    m = lattice.neighbours.shape[-1]
    expected, by_vertex = np.zeros((2, 80, m))
    for k in range(4):
        np.add.at(
            expected, (np.arange(80), lattice.vertices[:, k]), lattice.weights[:, k]
        )
    owners = np.repeat(lattice.owners, permutohedral.CHUNK)
    np.add.at(by_vertex, (lattice.points.ravel(), owners), lattice.shares.ravel())
    np.testing.assert_allclose(by_vertex, expected, atol=1e-7)
    assert not expected[:, -1].any()


def test_neighbours_are_mutual_and_all_there_around_the_points():
    lattice = permutohedral.build(RNG.normal(size=(50, 2)))
    none = lattice.neighbours.shape[-1] - 1
    for before, after in lattice.neighbours:
        there = np.flatnonzero(after != none)
        np.testing.assert_array_equal(before[after[there]], there)
        assert before[none] == after[none] == none
        assert (after[lattice.vertices] != none).all()
        assert (before[lattice.vertices] != none).all()


@pytest.mark.parametrize('d', [1, 2, 3, 5])
def test_sums_of_gaussians_over_many_points(d):
    """Their height is tested too: without its scale the lattice would miss it.

    Where points end, the blur loses what passes beyond the lattice: not there.
    """
    x = RNG.uniform(-1.5, 1.5, (3000, d)).astype(np.float32)
    v = np.stack([np.ones(3000), 2 + np.sin(x[:, 0])], 1).astype(np.float32)
    actual = jax.jit(ops.lattice_filter(x))(v)
    ratio = np.asarray(actual / ops.exact_filter(jnp.asarray(x))(v))
    inside = np.all(np.abs(x) < 0.7, 1)
    np.testing.assert_allclose(ratio[inside].mean(0), 1, atol=0.004)
    np.testing.assert_allclose(ratio[inside], 1, atol=0.04)
    np.testing.assert_allclose(ratio, 1, atol=0.25)


@pytest.mark.parametrize('spread', [0.3, 1.0, 3.0])
def test_the_diagonal_is_that_of_the_matrix_and_can_be_left_out(spread, monkeypatch):
    monkeypatch.setattr(permutohedral, 'TOGETHER', 32)  # in parts
    x = np.concatenate([RNG.normal(0, spread, (60, 5)), np.zeros((10, 5))])
    x = x.astype(np.float32)
    matrix = np.asarray(ops.lattice_filter(x)(jnp.eye(70)))
    actual = permutohedral.self_weights(permutohedral.build(x))
    np.testing.assert_allclose(actual, np.diag(matrix), rtol=2e-3)
    assert np.abs(actual - 1).max() > 0.3
    v = RNG.normal(size=(70, 2)).astype(np.float32)
    expected = matrix @ v - np.diag(matrix)[:, None] * v
    without = jax.jit(lambda v: ops.lattice_filter(x, diagonal=False)(v))(v)
    np.testing.assert_allclose(without, expected, atol=1e-2)


def test_the_filter_is_symmetric_and_positive_semidefinite():
    x = RNG.normal(0, 2, (40, 5)).astype(np.float32)
    matrix = np.asarray(ops.lattice_filter(x)(jnp.eye(40)))
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)
    assert np.linalg.eigvalsh(matrix.astype(np.float64)).min() > -1e-5
    assert matrix.min() >= 0


def test_the_filter_does_not_depend_on_order_nor_on_other_values():
    x, v = RNG.normal(size=(30, 4)), RNG.normal(size=(30, 3)).astype(np.float32)
    actual = ops.lattice_filter(x)(v)
    order = RNG.permutation(30)
    np.testing.assert_allclose(
        ops.lattice_filter(x[order])(v[order]), actual[order], atol=1e-5
    )
    np.testing.assert_allclose(
        ops.lattice_filter(x)(v[:, :1]), actual[:, :1], atol=1e-5
    )


def test_gradient_of_the_filter_against_finite_differences():
    with jax.enable_x64(True):
        k = ops.lattice_filter(RNG.normal(size=(12, 5)))
        weight = jnp.asarray(RNG.normal(size=(12, 2)))
        check_grads(
            jax.jit(lambda v: jnp.sum(weight * jnp.sin(k(v)))),
            (jnp.asarray(RNG.normal(size=(12, 2))),),
            order=1,
            modes=['rev'],
            rtol=1e-6,
        )


def test_what_no_lattice_can_hold_is_refused():
    far = np.zeros((2, 5))
    far[1] = 1e6
    with pytest.raises(ValueError, match=r'span 1e\+06 widths .* choose a wider'):
        ops.lattice_filter(far)
    with pytest.raises(ValueError, match='features are traced'):
        jax.jit(lambda x: ops.lattice_filter(x)(x))(far)
