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
    result = fit(density, np.array([1.0, 1, 1, 2]))
    np.testing.assert_allclose(result.share, [0.4, 0.2, 0.4], atol=1e-6)


def test_no_component_would_gain_and_those_with_a_share_agree():
    density = np.exp(np.random.default_rng(0).normal(size=(80, 12)) * 2)
    result = fit(density, np.ones(80))
    gain = np.mean(density / (density @ result.share)[:, None], 0)
    assert result.gap <= 1e-9
    assert gain.max() <= 1 + 1e-8
    np.testing.assert_allclose(result.share @ gain, 1, atol=1e-12)
    # All other shares are exactly 0.
    assert 1 < np.sum(result.share > 0) < 12
    assert result.share[result.share > 0].min() > 1e-3


def test_rows_without_weight_and_empty_components_play_no_part():
    density = np.exp(np.random.default_rng(0).normal(size=(30, 4)))
    plain = fit(density, np.ones(30))
    wide = np.concatenate([density, np.full((3, 4), 1e6)])
    wide = np.concatenate([wide, np.zeros((33, 1))], 1)
    result = fit(wide, np.r_[np.ones(30), np.zeros(3)])
    assert result.share[4] == 0
    np.testing.assert_allclose(result.share[:4], plain.share, atol=1e-6)
