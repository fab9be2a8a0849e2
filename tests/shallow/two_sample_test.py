"""Two-sample tests against every relabelling, and their errors over many problems."""

import itertools

import jax
import numpy as np
import pytest
from sklearn import svm

from transfer_jax import shallow
from transfer_jax.ops import kernels

KEY = jax.random.key(0)


def mmd(matrix, source):
    """Squared MMD by loops over pairs; `source` is a boolean for each row."""
    s, t = np.flatnonzero(source), np.flatnonzero(~source)

    def mean(a, b):
        return np.mean([matrix[i, j] for i in a for j in b])

    return mean(s, s) + mean(t, t) - 2 * mean(s, t)


def gaussian(x):
    squared = np.sum((x[:, None] - x) ** 2, -1)
    pairs = np.sort(squared[np.triu_indices(len(x), 1)])
    return np.exp(-squared / pairs[(len(pairs) - 1) // 2])


@pytest.mark.parametrize(('n', 'm'), [(4, 3), (1, 5)])
def test_a_tiny_problem_against_all_relabellings(n, m):
    rng = np.random.default_rng(n)
    xs, xt = rng.normal(size=(n, 2)), rng.normal(0.8, 1, size=(m, 2))
    result = shallow.mmd_test(KEY, xs, xt, permutations=4000)
    matrix = gaussian(np.concatenate([xs, xt]))
    every = []
    for chosen in itertools.combinations(range(n + m), n):
        every.append(mmd(matrix, np.isin(np.arange(n + m), chosen)))
    every = np.array(every)
    np.testing.assert_allclose(result.statistic, every[0], rtol=1e-9)
    # Each permuted statistic is that of a relabelling, and every relabelling occurs.
    apart = np.abs(np.asarray(result.permuted)[:, None] - every)
    assert apart.min(1).max() < 1e-9 and apart.min(0).max() < 1e-9
    exact = np.mean(every >= every[0] - 1e-12)
    deviation = np.sqrt(exact * (1 - exact) / 4000)
    assert abs(result.p_value - exact) < 4 * deviation + 1 / 4001


def test_a_kernel_may_be_given():
    rng = np.random.default_rng(0)
    xs, xt = rng.normal(size=(6, 3)), rng.normal(1, 1, size=(5, 3))
    result = shallow.mmd_test(KEY, xs, xt, kernel=kernels.linear_kernel, permutations=9)
    expected = np.sum((xs.mean(0) - xt.mean(0)) ** 2)
    np.testing.assert_allclose(result.statistic, expected, rtol=1e-9)
    assert result.permuted.shape == (9,)


def test_p_values_of_equal_distributions_are_uniform():
    @jax.jit
    @jax.vmap
    def p_value(key):
        draw, test = jax.random.split(key)
        x = jax.random.normal(draw, (24, 2))
        return shallow.mmd_test(test, x[:10], x[10:], permutations=199).p_value

    result = np.asarray(p_value(jax.random.split(KEY, 200)))
    # Kolmogorov's distance to the uniform: 1.63 / sqrt(200) at level 1 %.
    steps = np.arange(1, 201) / 200
    assert np.abs(np.sort(result) - steps).max() < 0.12
    assert result.min() >= 1 / 200


def test_shifted_distributions_are_distinguished():
    rng = np.random.default_rng(0)
    xs, xt = rng.normal(size=(40, 3)), rng.normal(1, 1, size=(30, 3))
    assert shallow.mmd_test(KEY, xs, xt, permutations=199).p_value == 1 / 200
    # Of equal means: variances only.
    xt = rng.normal(0, 4, size=(30, 3))
    assert shallow.mmd_test(KEY, xs, xt, permutations=199).p_value == 1 / 200


def test_padding_of_a_test_changes_nothing():
    rng = np.random.default_rng(0)
    xs, xt = rng.normal(size=(12, 3)), rng.normal(0.7, 1, size=(9, 3))
    plain = shallow.mmd_test(KEY, xs, xt, permutations=2000)
    masks = {'source_mask': np.arange(15) < 12, 'target_mask': np.arange(13) < 9}
    far = np.concatenate([xs, np.full((3, 3), 50.0)])
    wide = np.concatenate([xt, np.full((4, 3), -80.0)])
    result = shallow.mmd_test(KEY, far, wide, permutations=2000, **masks)
    np.testing.assert_allclose(result.statistic, plain.statistic, rtol=1e-9)
    # Different random numbers: the tolerance is for 2000 draws.
    assert abs(result.p_value - plain.p_value) < 0.03
    exact = shallow.proxy_a_distance(KEY, far, wide, **masks)
    assert 0 <= exact <= 2


def test_equal_rows_give_no_evidence():
    result = shallow.mmd_test(KEY, np.ones((4, 2)), np.ones((3, 2)), permutations=20)
    assert result.p_value == 1 and result.statistic == 0
    with pytest.raises(ValueError, match='permutations 0'):
        shallow.mmd_test(KEY, np.ones((4, 2)), np.ones((3, 2)), permutations=0)


def test_the_a_distance_is_that_of_a_held_out_svm():
    rng = np.random.default_rng(0)
    xs, xt = rng.normal(size=(200, 4)), rng.normal(0.8, 1, size=(60, 4))
    result = [
        shallow.proxy_a_distance(key, xs, xt) for key in jax.random.split(KEY, 20)
    ]
    expected = []
    for seed in range(20):
        halves = [np.random.default_rng(seed).permutation(x) for x in (xs, xt)]
        fit = [x[: len(x) // 2] for x in halves]
        machine = svm.LinearSVC(class_weight='balanced', dual=False)
        machine.fit(np.concatenate(fit), np.repeat([0, 1], [100, 30]))
        held = [x[len(x) // 2 :] for x in halves]
        errors = [np.mean(machine.predict(x) != i) for i, x in enumerate(held)]
        expected.append(max(0, 2 * (1 - 2 * np.mean(errors))))
    # Means over 20 random halves, each with a standard deviation of about 0.1.
    assert abs(np.mean(result) - np.mean(expected)) < 0.1
    assert np.std(result) > 0


def test_the_a_distance_of_distant_and_of_equal_domains():
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(60, 4))
    assert shallow.proxy_a_distance(KEY, xs, xs + 9) == 2
    assert shallow.proxy_a_distance(KEY, xs, rng.normal(size=(60, 4))) < 0.6
    assert shallow.proxy_a_distance(KEY, xs, np.ones((1, 4))) == 0
    # The smaller domain counts as much as the larger.
    few = rng.normal(size=(8, 4)) * 0.1 + [3, 0, 0, 0]
    assert shallow.proxy_a_distance(KEY, xs, few) > 1.4
