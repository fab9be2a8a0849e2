"""TCA and its semi-supervised form against the paper's matrices, written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from transfer_jax import ops, shallow
from transfer_jax.types import Samples

PAPER = {'unit_rows': False, 'unit_output': False, 'whiten': True}


def samples(seed, n, d=6, mean=0.0):
    x = np.random.default_rng(seed).normal(mean, 1, (n, d)) * np.linspace(2, 0.5, d)
    return Samples(x, np.arange(n) % 3, np.ones(n))


def gaussian(x, y):
    return ops.gaussian_kernel(jnp.array([4.0]))(x, y)


def gaussian_numpy(x, y):
    return np.exp(-np.sum((x[:, None] - y) ** 2, -1) / 8)


def features(align, source, target, x):
    """The target features after a fit."""

    @jax.jit
    def run(source, target, x):
        return align.target(align.fit(None, source, target), x)

    with jax.enable_x64(True):
        target = target._replace(label=np.full(len(target.x), -1))
        return np.asarray(run(source, target, x))


def mmd(ns, nt):
    e = np.r_[np.full(ns, 1 / ns), np.full(nt, -1 / nt)]
    return np.outer(e, e)


def same_up_to_sign(result, expected, atol=1e-8):
    sign = np.sign(np.sum(result * expected, 0))
    np.testing.assert_allclose(result, expected * sign, atol=atol)


@pytest.mark.parametrize(
    ('kernel', 'in_numpy'),
    [(ops.linear_kernel, lambda x, y: x @ y.T), (gaussian, gaussian_numpy)],
)
def test_components_are_those_of_the_paper(kernel, in_numpy):
    source, target = samples(0, 14), samples(1, 10, mean=0.5)
    align = shallow.tca(3, kernel=kernel, regularisation=0.3, normalise=False, **PAPER)
    x = np.concatenate([source.x, target.x])
    k, h = in_numpy(x, x), np.eye(24) - 1 / 24
    value, vector = scipy.linalg.eig(
        np.linalg.solve(k @ mmd(14, 10) @ k + 0.3 * np.eye(24), k @ h @ k)
    )
    a = vector[:, np.argsort(-value.real)[:3]].real
    a = a / np.sqrt(np.sum(a * (k @ h @ k @ a), 0))
    new = samples(2, 5).x
    same_up_to_sign(features(align, source, target, new), in_numpy(new, x) @ a)


def test_the_defaults_normalise_matrix_examples_and_columns():
    source, target = samples(0, 14), samples(1, 10, mean=0.5)
    x = np.concatenate([source.x, target.x])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    k, m, h = x @ x.T, mmd(14, 10), np.eye(24) - 1 / 24
    right = k @ m @ k / np.linalg.norm(m) + np.eye(24)
    a = scipy.linalg.eigh(k @ h @ k, right)[1][:, ::-1][:, :3]
    z = k @ (a / np.linalg.norm(a, axis=0))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    result = features(shallow.tca(3), source, target, target.x)
    same_up_to_sign(result, z[14:])


def test_regularisations_may_be_a_batch():
    source, target = samples(0, 8), samples(1, 7)
    values = np.array([0.1, 1.0, 10.0])

    def fit(value):
        align = shallow.tca(2, regularisation=value)
        return align.fit(None, source, target).weight

    with jax.enable_x64(True):
        together = jax.jit(jax.vmap(fit))(values)
        single = [jax.jit(fit)(value) for value in values]
    np.testing.assert_allclose(together, single, atol=1e-9)
    assert np.abs(together[0] - together[2]).max() > 1e-3


def test_means_approach_as_the_regularisation_decreases():
    source, target = samples(0, 20), samples(1, 20, mean=1.0)
    both = np.concatenate([source.x, target.x])
    gaps = []
    for value in (1e-6, 1e6):
        z = features(
            shallow.tca(2, regularisation=value, **PAPER), source, target, both
        )
        gaps.append(np.linalg.norm(z[:20].mean(0) - z[20:].mean(0)) / z.std())
    assert gaps[0] < 1e-4 < 0.1 < gaps[1]


def test_one_target_example_suffices():
    source, target = samples(0, 9), samples(1, 1)
    for align in (shallow.tca(2), shallow.semi_supervised_tca(2, classes=3)):
        assert np.isfinite(features(align, source, target, target.x)).all()


def laplacian(x, neighbours, variance):
    n = len(x)
    w = np.zeros((n, n))
    for i in range(n):
        distance = np.sum((x - x[i]) ** 2, 1)
        for j in np.argsort(distance)[1 : neighbours + 1]:
            w[i, j] = w[j, i] = np.exp(-distance[j] / 2 / variance)
    return np.diag(w.sum(1)) - w


def test_semi_supervised_components_are_those_of_the_paper():
    source, target = samples(0, 14), samples(1, 10, mean=0.5)
    align = shallow.semi_supervised_tca(
        3,
        classes=3,
        kernel=gaussian,
        regularisation=0.3,
        dependence=0.7,
        manifold=20.0,
        neighbours=4,
        variance=2.0,
        **PAPER,
    )
    x = np.concatenate([source.x, target.x])
    k, h = gaussian_numpy(x, x), np.eye(24) - 1 / 24
    same = np.zeros((24, 24))
    same[:14, :14] = source.label[:, None] == source.label
    left = k @ h @ (0.7 * same + 0.3 * np.eye(24)) @ h @ k
    right = mmd(14, 10) + 20 / 24**2 * laplacian(x, 4, 2.0)
    right = k @ right @ k + 0.3 * np.eye(24)
    value, a = scipy.linalg.eigh(left, right)
    a = a[:, ::-1][:, :3] / np.sqrt(value[::-1][:3])
    new = samples(2, 5).x
    same_up_to_sign(features(align, source, target, new), gaussian_numpy(new, x) @ a)


def test_without_labels_and_neighbours_it_is_tca():
    source, target = samples(0, 14), samples(1, 10, mean=0.5)
    align = shallow.semi_supervised_tca(3, classes=3, dependence=0, manifold=0)
    plain = shallow.tca(3, normalise=False)
    np.testing.assert_allclose(
        features(align, source, target, target.x),
        features(plain, source, target, target.x),
        atol=1e-8,
    )


def test_labels_alone_span_a_component_less_than_classes():
    source, target = samples(0, 14), samples(1, 10, mean=0.5)
    align = shallow.semi_supervised_tca(4, classes=3, dependence=1, unit_output=False)
    z = features(align, source, target, target.x)
    # Centring removes one of three, unless unlabelled target rows preserve it
    assert np.linalg.matrix_rank(z, tol=1e-9) == 3
    np.testing.assert_array_equal(z[:, 3], 0)


def test_invalid_hyper_parameters_are_refused():
    with pytest.raises(ValueError, match='dimension 0'):
        shallow.tca(0)
    with pytest.raises(ValueError, match='regularisation 0: must be positive'):
        shallow.tca(2, regularisation=0)
    with pytest.raises(ValueError, match='dependence'):
        shallow.semi_supervised_tca(2, classes=3, dependence=1.5)
    with pytest.raises(ValueError, match='manifold'):
        shallow.semi_supervised_tca(2, classes=3, manifold=-1)
    with pytest.raises(ValueError, match='variance'):
        shallow.semi_supervised_tca(2, classes=3, variance=0)
    with pytest.raises(ValueError, match='neighbours'):
        shallow.semi_supervised_tca(2, classes=3, neighbours=0)
