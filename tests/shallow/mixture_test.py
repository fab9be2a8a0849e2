"""Proportions of a mixture: by hand, and by their conditions of optimality."""

import jax
import numpy as np

from transfer_jax.shallow import mixture


def fit(density, weight):
    with jax.enable_x64(True):
        run = jax.jit(lambda *a: mixture.fit(*a, tolerance=1e-9))
        return jax.tree.map(np.asarray, run(density, weight))


def test_disjoint_components_get_the_shares_of_their_rows():
    density = np.array([[2.0, 0, 0], [5, 0, 0], [0, 1, 0], [0, 0, 3]])
    found = fit(density, np.array([1.0, 1, 1, 2]))
    np.testing.assert_allclose(found.share, [0.4, 0.2, 0.4], atol=1e-6)


def test_no_component_would_gain_and_those_with_a_share_agree():
    density = np.exp(np.random.default_rng(0).normal(size=(80, 12)) * 2)
    found = fit(density, np.ones(80))
    gain = np.mean(density / (density @ found.share)[:, None], 0)
    assert found.gap <= 1e-9
    assert gain.max() <= 1 + 1e-8
    np.testing.assert_allclose(found.share @ gain, 1, atol=1e-12)
    # No trace of the others is left.
    assert 1 < np.sum(found.share > 0) < 12
    assert found.share[found.share > 0].min() > 1e-3


def test_rows_without_weight_and_empty_components_play_no_part():
    density = np.exp(np.random.default_rng(0).normal(size=(30, 4)))
    plain = fit(density, np.ones(30))
    wide = np.concatenate([density, np.full((3, 4), 1e6)])
    wide = np.concatenate([wide, np.zeros((33, 1))], 1)
    found = fit(wide, np.r_[np.ones(30), np.zeros(3)])
    assert found.share[4] == 0
    np.testing.assert_allclose(found.share[:4], plain.share, atol=1e-6)
