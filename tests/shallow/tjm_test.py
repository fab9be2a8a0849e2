"""TJM against a loop over dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from transfer_jax import ops, shallow
from transfer_jax.types import Samples


def samples(seed, n, mean=0.0, d=6):
    x = np.random.default_rng(seed).normal(mean, 1, (n, d)) * np.linspace(2, 0.5, d)
    return Samples(x, np.arange(n) % 3, np.ones(n))


def gaussian(x, y):
    return ops.gaussian_kernel(jnp.array([2.0]))(x, y)


def reference(k, ns, dimension, iterations, sparsity, whiten):
    n = len(k)
    e = np.r_[np.full(ns, 1 / ns), np.full(n - ns, -1 / (n - ns))]
    m = np.outer(e, e) / (e @ e)
    h = np.eye(n) - 1 / n
    g = np.ones(n)
    for _ in range(iterations):
        value, a = scipy.linalg.eigh(k @ h @ k, k @ m @ k + 0.5 * np.diag(g))
        a = a[:, ::-1][:, :dimension]
        scatter = np.sqrt(value[::-1][:dimension])
        a = a / (scatter if whiten else np.linalg.norm(a, axis=0))
        g[:ns] = sparsity / np.linalg.norm(a[:ns], axis=1)
    return k @ a


def mapped(align, source, target):
    @jax.jit
    def run(source, target):
        x = jnp.concatenate([source.x, target.x])
        return align.target(align.fit(None, source, target), x)

    with jax.enable_x64(True):
        return np.asarray(run(source, target))


@pytest.mark.parametrize('kernel', [ops.linear_kernel, gaussian])
@pytest.mark.parametrize(('sparsity', 'whiten'), [(1.0, False), (0.5, True)])
def test_it_is_the_loop_over_weights(kernel, sparsity, whiten):
    source, target = samples(0, 14), samples(1, 10, mean=0.5)
    align = shallow.tjm(
        3,
        kernel=kernel,
        regularisation=0.5,
        sparsity=sparsity,
        iterations=3,
        whiten=whiten,
    )
    z = mapped(align, source, target)
    x = np.concatenate([source.x, target.x])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    if kernel is gaussian:
        k = np.exp(-np.sum((x[:, None] - x) ** 2, -1) / 4)
    else:
        k = x @ x.T
    expected = reference(k, 14, 3, 3, sparsity, whiten)
    sign = np.sign(np.sum(z * expected, 0))
    np.testing.assert_allclose(z, expected * sign, atol=1e-6)


def test_the_first_iteration_is_tca():
    source, target = samples(0, 14), samples(1, 10, mean=0.5)
    once = mapped(shallow.tjm(3, iterations=1), source, target)
    plain = mapped(shallow.tca(3, unit_output=False), source, target)
    np.testing.assert_allclose(once, plain, atol=1e-9)
    assert np.abs(mapped(shallow.tjm(3), source, target) - plain).max() > 0.01


def test_domains_of_one_example_each_are_solved():
    source, target = samples(0, 1), samples(1, 1)
    assert np.isfinite(mapped(shallow.tjm(2), source, target)).all()


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match='iterations 0'):
        shallow.tjm(3, iterations=0)
    with pytest.raises(ValueError, match='sparsity 0'):
        shallow.tjm(3, sparsity=0)
    with pytest.raises(ValueError, match='regularisation'):
        shallow.tjm(3, regularisation=0.0)
