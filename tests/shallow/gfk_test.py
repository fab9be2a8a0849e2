"""The geodesic flow kernel against numerical integration of the flow."""

import functools
import math

import jax
import numpy as np
import pytest
from scipy import linalg

from transfer_jax import shallow
from transfer_jax.types import Samples

CLASSES = 3


def samples(seed, n, d, mean=0.5):
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, 1, (n, d)) * np.linspace(2, 0.3, d)
    return Samples(x, np.arange(n) % CLASSES, np.ones(n))


@functools.cache  # what is compiled for one shape serves several tests
def pipeline(dimension, **options):
    return shallow.pipeline(
        shallow.gfk(dimension, **options), shallow.nearest_neighbour(CLASSES)
    )


def fit(source, target, dimension, **options):
    made = pipeline(dimension, **options)
    return made, made.fit(jax.random.key(0), source, target)


def kernel(source, target, dimension, **options):
    factor = fit(source, target, dimension, **options)[1].alignment.factor
    factor = np.asarray(factor)
    return factor @ factor.T


def directions(x, count):
    return np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:count].T


def integral(a, b, nodes=40):
    """The integral of projectors along the geodesic, by its matrix exponential."""
    log = linalg.logm((np.eye(len(a)) - 2 * b @ b.T) @ (np.eye(len(a)) - 2 * a @ a.T))
    times, weights = np.polynomial.legendre.leggauss(nodes)
    turns = [linalg.expm(np.real(log) * (t + 1) / 4) for t in times]
    return sum(
        w / 2 * turn @ a @ a.T @ turn.T for w, turn in zip(weights, turns, strict=True)
    )


@pytest.mark.parametrize(('n', 'm', 'd', 'k'), [(30, 25, 9, 3), (8, 7, 14, 4)])
def test_the_kernel_is_the_integral_over_the_flow(n, m, d, k):
    source, target = samples(0, n, d), samples(1, m, d)
    a, b = directions(source.x, k), directions(target.x, k)
    result = kernel(source, target, k)
    np.testing.assert_allclose(result, integral(a, b), atol=1e-9)


def test_more_than_half_of_the_dimensions_work():
    source, target = samples(0, 30, 7), samples(1, 25, 7)
    result = kernel(source, target, 5)
    expected = integral(directions(source.x, 5), directions(target.x, 5))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    np.testing.assert_allclose(kernel(source, target, 7), np.eye(7), atol=1e-12)


def test_two_lines_in_a_plane_by_hand():
    angle = 0.7
    ends = [np.array([[1.0, 0]]), np.array([[np.cos(angle), np.sin(angle)]])]
    pair = [
        Samples(np.concatenate([e, -e]), np.array([0, 1]), np.ones(2)) for e in ends
    ]
    share = np.sin(2 * angle) / (4 * angle)
    across = (1 - np.cos(2 * angle)) / (4 * angle)
    expected = [[0.5 + share, across], [across, 0.5 - share]]
    np.testing.assert_allclose(kernel(*pair, 1), expected, atol=1e-14)


@pytest.mark.parametrize('angle', [0.0, 1e-12, 1e-8, 1e-4, 0.0999, 0.1001, 1.5])
def test_every_angle_gives_finite_values(angle):
    ends = [np.array([[1.0, 0]]), np.array([[np.cos(angle), np.sin(angle)]])]
    pair = [
        Samples(np.concatenate([e, -e]), np.array([0, 1]), np.ones(2)) for e in ends
    ]
    factor = np.asarray(fit(*pair, 1)[1].alignment.factor)
    lengths = np.linalg.norm(factor, axis=0)
    # 1 - sin(angle) / angle without cancellation
    lack = sum(
        (-1) ** (j + 1) * angle ** (2 * j) / math.factorial(2 * j + 1)
        for j in range(1, 15)
    )
    expected = np.sqrt([1 - lack / 2, lack / 2])
    np.testing.assert_allclose(lengths, expected, rtol=1e-11, atol=1e-16)


def test_a_domain_and_itself_give_the_projection():
    both = samples(0, 20, 8)
    axes = directions(both.x, 3)
    np.testing.assert_allclose(kernel(both, both, 3), axes @ axes.T, atol=1e-14)


def test_distances_and_inner_products_of_features_are_those_of_the_kernel():
    source, target = samples(0, 30, 9), samples(1, 25, 9)
    made, fitted = fit(source, target, 3)
    metric = kernel(source, target, 3)
    values = np.linalg.eigvalsh(metric)
    assert values[0] > -1e-14 and values[-1] <= 1 + 1e-12
    assert np.sum(values > 1e-9) == 6
    zs = np.asarray(made.predict_source(fitted, {'x': source.x})['features'])
    zt = np.asarray(made.predict(fitted, {'x': target.x})['features'])
    assert zs.shape == (30, 6)
    np.testing.assert_allclose(zs @ zt.T, source.x @ metric @ target.x.T, atol=1e-4)


def test_a_turn_of_both_feature_spaces_turns_the_kernel():
    source, target = samples(0, 30, 9), samples(1, 25, 9)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(9, 9)))[0]
    rotated = [s._replace(x=s.x @ turn) for s in (source, target)]
    result = turn @ kernel(*rotated, 3) @ turn.T
    np.testing.assert_allclose(result, kernel(source, target, 3), atol=1e-12)


@pytest.mark.parametrize('few', [0, 1])
def test_a_domain_of_few_examples_flows_to_the_nearest_directions(few):
    pair = [samples(0, 30, 9), samples(1, 30, 9)]
    pair[few] = jax.tree.map(lambda leaf: leaf[:3], pair[few])  # spans 2
    small = directions(pair[few].x, 2)
    large = directions(pair[1 - few].x, 4)
    nearest = large @ np.linalg.svd(large.T @ small)[0][:, :2]
    np.testing.assert_allclose(kernel(*pair, 4), integral(small, nearest), atol=1e-9)


def test_one_target_example_gives_no_direction_and_no_nan():
    source, target = samples(0, 30, 9), samples(1, 1, 9)
    made, fitted = fit(source, target, 4)
    assert not np.any(fitted.alignment.factor)
    answers = made.predict(fitted, {'x': target.x})
    assert np.all(np.isfinite(answers['logits']))


def test_partial_least_squares_uses_the_labels():
    source, target = samples(0, 30, 9), samples(1, 25, 9)
    shifted = source.x + np.eye(9)[source.label + 3]
    source = source._replace(x=shifted)
    onehot = np.eye(CLASSES)[source.label]
    means = onehot - onehot.mean(0)
    first = np.linalg.svd((shifted - shifted.mean(0)).T @ means)[0][:, 0]
    result = kernel(source, target, 1, classes=CLASSES)
    expected = integral(first[:, None], directions(target.x, 1))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    assert np.abs(result - kernel(source, target, 1)).max() > 0.05


def test_rank_of_domain_by_hand():
    source = Samples(np.array([[1.0, 0], [-1, 0]]), np.array([0, 1]), np.ones(2))
    angle = 0.4
    line = np.array([[np.cos(angle), np.sin(angle)]])
    target = Samples(np.concatenate([line * 3, -line]), np.array([0, 1]), np.ones(2))
    # Along the lines: mean 0, variance 1, and mean 1, variance 4.
    divergence = 0.5 * ((1 + 1) / 4 + (4 + 1) / 1) - 1
    result = np.asarray(shallow.rank_of_domain(source, target, 1))
    np.testing.assert_allclose(result, angle * divergence, rtol=1e-12)
    result = np.asarray(shallow.rank_of_domain(target, source, 1))
    np.testing.assert_allclose(result, angle * divergence, rtol=1e-12)
    assert float(shallow.rank_of_domain(source, source, 2)) == 0


def test_the_nearer_domain_has_the_lower_rank():
    target = samples(0, 60, 8)
    turn = linalg.expm(0.3 * (np.triu(np.ones((8, 8)), 1) - np.tri(8, k=-1)))
    near, far = (target._replace(x=target.x @ t) for t in (np.eye(8), turn))
    noise = np.random.default_rng(1).normal(size=(60, 8))
    near = near._replace(x=near.x + 0.01 * noise)
    ranks = [float(shallow.rank_of_domain(s, target, 3)) for s in (near, far)]
    assert 0 < ranks[0] < 0.1 * ranks[1]


def test_disagreement_is_one_where_a_domain_is_at_right_angles_to_the_union():
    rng = np.random.default_rng(0)
    # The same first direction; the following ones differ between the domains.
    source, target = rng.normal(size=(2, 40, 6)) * 1e-3
    source[:, 0] += 5 * rng.normal(size=40)
    target[:, 0] += 5 * rng.normal(size=40)
    source[:, 1] += rng.normal(size=40)
    target[:, 2] += rng.normal(size=40)
    source[:, 3] += 3 * np.ones(40)  # apart in the mean: second of the union
    pair = [Samples(x, np.zeros(40, int), np.ones(40)) for x in (source, target)]
    result = shallow.subspace_disagreement(*pair, tolerance=0.05)
    assert result.dimension == 2
    assert result.values.shape == (2,) and result.values[0] < 0.1 < result.values[1]
    both = np.concatenate([source, target])
    for d, value in enumerate(result.values, 1):
        sines = [
            np.sin(linalg.subspace_angles(directions(x, d), directions(both, d))[0])
            for x in (source, target)
        ]
        np.testing.assert_allclose(value, np.mean(sines), rtol=1e-9)


def test_a_disagreement_below_one_everywhere_is_an_error():
    both = samples(0, 30, 8)
    with pytest.raises(ValueError, match='of 1 to 4 dimensions reaches'):
        shallow.subspace_disagreement(both, both)


def test_an_invalid_dimension_is_refused():
    with pytest.raises(ValueError, match='dimension 0'):
        shallow.gfk(0)
    with pytest.raises(ValueError, match='dimension 7.*have 6'):
        fit(samples(0, 9, 6), samples(1, 9, 6), 7)
    with pytest.raises(ValueError, match='dimension 7.*have 6'):
        shallow.rank_of_domain(samples(0, 9, 6), samples(1, 9, 6), 7)
