"""CORAL against SciPy's matrix functions, and covariances that are singular."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from transfer_jax import shallow
from transfer_jax.types import Samples


def samples(seed, n, d=5, mean=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, 1, (n, d)) @ rng.normal(size=(d, d))
    return Samples(x, np.arange(n) % 3, np.ones(n))


def mapped(source, target, regularisation):
    align = shallow.coral(regularisation)
    made = shallow.pipeline(align, shallow.nearest_neighbour(3))
    fitted = made.fit(jax.random.key(0), source, target).alignment
    with jax.enable_x64(True):
        result = align.source(fitted, jnp.asarray(source.x))
        same = align.target(fitted, jnp.asarray(target.x))
        np.testing.assert_array_equal(same, target.x)
    return np.asarray(result)


@pytest.mark.parametrize('nt', [20, 3])  # 3 examples span 2 directions
def test_the_source_is_whitened_and_coloured(nt):
    source, target = samples(0, 30, mean=1.0), samples(1, nt)
    cs, ct = (np.cov(part.x.T) + np.eye(5) for part in (source, target))
    power = scipy.linalg.fractional_matrix_power
    expected = source.x @ power(cs, -0.5) @ power(ct, 0.5)
    np.testing.assert_allclose(mapped(source, target, 1.0), expected, atol=1e-9)


def test_one_feature_by_hand():
    source = Samples(np.array([[0.0], [4], [8]]), np.arange(3), np.ones(3))  # var 16
    target = Samples(np.array([[1.0], [7]]), np.arange(2), np.ones(2))  # var 18
    expected = source.x * np.sqrt((18 + 2) / (16 + 2))
    np.testing.assert_allclose(mapped(source, target, 2.0), expected, rtol=1e-12)


def test_without_regularisation_covariances_agree():
    source, target = samples(0, 30), samples(1, 20)
    result = np.cov(mapped(source, target, 0.0).T)
    np.testing.assert_allclose(result, np.cov(target.x.T), atol=1e-9)


@pytest.mark.parametrize(('ns', 'nt', 'rank'), [(30, 3, 2), (4, 30, 3), (30, 1, 0)])
def test_singular_covariances_agree_as_far_as_both_reach(ns, nt, rank):
    source, target = samples(0, ns), samples(1, nt)
    target.x[:, 4], source.x[:, 4] = 1.0, 1.0  # and a feature that is constant
    result = np.cov(mapped(source, target, 0.0).T)
    assert np.linalg.matrix_rank(result, tol=1e-9) == rank
    if nt > 1:
        value, vector = np.linalg.eigh(np.cov(target.x.T))
        best = (vector * value)[:, 5 - rank :] @ vector[:, 5 - rank :].T
    else:
        best = np.zeros((5, 5))
    if ns > 5:  # the source reaches every direction that varies
        np.testing.assert_allclose(result, best, atol=1e-9)
    assert np.linalg.eigvalsh(result)[-1] <= np.linalg.eigvalsh(best)[-1] + 1e-9


def test_regularisations_may_be_a_batch_and_padding_counts_for_nothing():
    source, target = samples(0, 9), samples(1, 8)
    x = np.concatenate([source.x, np.full((4, 5), 50.0)])
    wide = Samples(x, np.zeros(13, int), np.r_[np.ones(9), np.zeros(4)])
    values = np.array([0.0, 0.5, 2.0])

    def fit(value):
        return shallow.coral(value).fit(None, wide, target).matrix

    with jax.enable_x64(True):
        together = np.asarray(jax.jit(jax.vmap(fit))(values))
    for value, matrix in zip(values, together, strict=True):
        expected = mapped(source, target, value)
        np.testing.assert_allclose(source.x @ matrix, expected, atol=1e-9)


def test_a_negative_regularisation_is_refused():
    with pytest.raises(ValueError, match='regularisation -1'):
        shallow.coral(-1)
