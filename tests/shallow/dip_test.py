"""Domain invariant projection: its objective, its constraint, its minimum."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize
from scipy.spatial import distance

from transfer_jax import shallow
from transfer_jax.shallow import grassmann
from transfer_jax.types import Samples

CLASSES = 3


def samples(seed, n, d, mean=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n, d)) * np.linspace(2, 0.5, d)
    x[:, 0] += mean  # the domains differ in the direction of most variance
    x[:, 1] *= 1 + mean / 3
    return Samples(x, np.arange(n) % CLASSES, np.ones(n))


SOURCE, TARGET = samples(0, 30, 8), samples(1, 30, 8, mean=3)


@functools.partial(jax.jit, static_argnames=('dimension', 'kernel'))
def compiled(source, target, dimension, kernel, width, clustering, steps, tolerance):
    align = shallow.dip(
        dimension,
        kernel=kernel,
        width=width,
        clustering=clustering,
        classes=CLASSES,
        steps=steps,
        tolerance=tolerance,
    )
    return align.fit(jax.random.key(0), source, target)


def fit(source, target, dimension=3, kernel='gaussian', width=None, **options):
    """One program for all real-valued hyper-parameters, and the number of steps."""
    options = {'clustering': 0.0, 'steps': 3000, 'tolerance': 1e-6} | options
    options = {name: np.asarray(value) for name, value in options.items()}
    with jax.enable_x64(True):
        result = compiled(source, target, dimension, kernel, width, **options)
        return jax.tree.map(np.asarray, result)


@functools.cache
def fitted(dimension=3, **options):
    return fit(SOURCE, TARGET, dimension, **options)


def gaussian(u, v, sigma):
    return np.exp(-distance.cdist(u, v, 'sqeuclidean') / sigma)


def polynomial(u, v, sigma):
    return (1 + u @ v.T) ** 2


def discrepancy(w, kernel, sigma):
    mean = np.concatenate([SOURCE.x, TARGET.x]).mean(0)
    u, v = (SOURCE.x - mean) @ w, (TARGET.x - mean) @ w
    within = kernel(u, u, sigma).mean() + kernel(v, v, sigma).mean()
    return within - 2 * kernel(u, v, sigma).mean()


def start(count):
    pooled = np.concatenate([SOURCE.x, TARGET.x])
    return np.linalg.svd(pooled - pooled.mean(0))[2][:count].T


def slope(w, objective):
    """Central differences, made tangent: the gradient on the manifold."""
    result = np.zeros_like(w)
    for i in np.ndindex(w.shape):
        step = np.zeros_like(w)
        step[i] = 1e-6
        result[i] = (objective(w + step) - objective(w - step)) / 2e-6
    return np.linalg.norm(result - w @ (w.T @ result))


# Of an even number of pairs the lower of the two in the middle
PAIRS = np.sort(distance.pdist(SOURCE.x, 'sqeuclidean'))
SIGMA = PAIRS[(len(PAIRS) - 1) // 2]
KERNELS = {'gaussian': gaussian, 'polynomial': polynomial}


@pytest.mark.parametrize('name', KERNELS)
def test_the_minimum_is_one_of_the_discrepancy(name):
    result = fitted(kernel=name)

    def objective(w):
        return discrepancy(w, KERNELS[name], SIGMA)

    w = result.projection
    np.testing.assert_allclose(w.T @ w, np.eye(3), atol=1e-13)
    np.testing.assert_allclose(result.objective, objective(w), atol=1e-12)
    first = objective(start(3))
    assert result.objective < 0.1 * first
    assert result.slope <= 1e-6 and result.steps < 3000
    share = slope(w, objective) / slope(start(3), objective)
    assert share < 2e-5  # the differences have an error of 1e-6


def test_no_direction_from_the_minimum_leads_down():
    result = fitted()
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2):
        for _ in range(10):
            perturbed = result.projection + size * rng.normal(size=(8, 3))
            perturbed = np.linalg.qr(perturbed)[0]
            assert discrepancy(perturbed, gaussian, SIGMA) > result.objective - 1e-9


def test_each_step_more_is_no_worse_and_none_is_the_joint_pca():
    objectives = [float(fitted(steps=s).objective) for s in (0, 1, 5)]
    first = discrepancy(start(3), gaussian, SIGMA)
    np.testing.assert_allclose(objectives[0], first, rtol=1e-10)
    assert objectives[0] > objectives[1] > objectives[2]
    w = fitted(steps=0).projection
    np.testing.assert_allclose(w @ w.T, start(3) @ start(3).T, atol=1e-12)


def test_clustering_adds_the_scatter_about_class_means():
    result = fitted(clustering=0.02)
    w = result.projection

    def objective(w):
        within = sum(
            np.sum(((x - x.mean(0)) @ w) ** 2)
            for x in (SOURCE.x[SOURCE.label == c] for c in range(CLASSES))
        )
        return discrepancy(w, gaussian, SIGMA) + 0.02 / SIGMA * within

    np.testing.assert_allclose(result.objective, objective(w), rtol=1e-10)
    assert slope(w, objective) < 2e-5 * slope(start(3), objective)
    assert objective(w) < objective(fitted().projection)


def test_padding_changes_nothing():
    def padded(given, rows, value):
        x, mask = given.x.copy(), given.mask.copy()
        x[-rows:], mask[-rows:] = value, 0
        return given._replace(x=x, mask=mask)

    unpadded = jax.tree.map(lambda leaf: leaf[:-3], TARGET)
    result = [
        fit(padded(SOURCE, 4, a), target, steps=5, clustering=0.01)
        for a, target in ((0.0, unpadded), (90.0, padded(TARGET, 3, -70.0)))
    ]
    np.testing.assert_allclose(*(f.projection for f in result), atol=1e-9)


def test_equal_domains_are_at_the_minimum():
    result = fit(SOURCE, SOURCE)
    assert abs(result.objective) < 1e-14 and result.steps < 20
    w = result.projection
    np.testing.assert_allclose(w.T @ w, np.eye(3), atol=1e-12)


@pytest.mark.parametrize('kernel', KERNELS)
def test_few_equal_or_constant_examples_give_an_orthonormal_projection(kernel):
    one = TARGET._replace(mask=np.eye(30)[0])
    same = SOURCE._replace(x=np.full_like(SOURCE.x, 0.3))
    for source in (SOURCE, same):
        result = fit(source, one, kernel=kernel, steps=20)
        w = result.projection
        np.testing.assert_allclose(w.T @ w, np.eye(3), atol=1e-12)
        assert np.all(np.isfinite(result.objective))


def test_features_are_projections_about_the_pooled_mean():
    align = shallow.dip(3)
    result = fitted()
    expected = (TARGET.x - result.mean) @ result.projection
    for project in (align.source, align.target):
        np.testing.assert_allclose(project(result, TARGET.x), expected)
    pooled = np.concatenate([SOURCE.x, TARGET.x]).mean(0)
    np.testing.assert_allclose(result.mean, pooled, atol=1e-12)


def test_the_search_finds_the_subspace_of_the_smallest_eigenvalues():
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        basis = np.linalg.qr(rng.normal(size=(9, 9)))[0]
        value = np.arange(1.0, 10)
        matrix = jnp.asarray((basis * value) @ basis.T)
        first = grassmann.orthonormal(jnp.asarray(rng.normal(size=(9, 3))))
        result = jax.jit(
            lambda w: grassmann.minimise(
                lambda w: jnp.sum(w * (matrix @ w)), w, steps=200, tolerance=1e-7
            )
        )(first)
        np.testing.assert_allclose(result.value, 6, rtol=1e-12)
        projector = basis[:, :3] @ basis[:, :3].T
        np.testing.assert_allclose(result.point @ result.point.T, projector, atol=1e-6)
        assert result.slope <= 1e-7 and result.steps < 60


def test_a_search_for_one_direction_agrees_with_a_general_minimiser():
    result = fitted(1)

    def objective(w):
        return discrepancy(w[:, None] / np.linalg.norm(w), gaussian, SIGMA)

    other = optimize.minimize(objective, start(1)[:, 0], tol=1e-12)
    np.testing.assert_allclose(result.objective, other.fun, atol=1e-7)


def test_invalid_hyper_parameters_are_refused():
    with pytest.raises(ValueError, match='dimension 0'):
        shallow.dip(0)
    with pytest.raises(ValueError, match="no kernel 'linear'"):
        shallow.dip(2, kernel='linear')
    with pytest.raises(ValueError, match='width'):
        shallow.dip(2, width=0.0)
    with pytest.raises(ValueError, match='clustering'):
        shallow.dip(2, clustering=-1.0)
    with pytest.raises(ValueError, match='classes'):
        shallow.dip(2, clustering=1.0)
    with pytest.raises(ValueError, match='dimension 9.*have 8'):
        fitted(9)
