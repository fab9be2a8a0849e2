"""Kernel mean matching against SciPy's SLSQP, and its hyper-parameters."""

import jax
import numpy as np
import pytest
from scipy import optimize

from transfer_jax import shallow
from transfer_jax.shallow import widths
from transfer_jax.types import Samples

KEY = jax.random.key(0)


def samples(seed, n=20, d=6, mean=0.0):
    x = np.random.default_rng(seed).normal(mean, 1, (n, d))
    return Samples(x, np.arange(n) % 2, np.ones(n))


def fit(align, source, target):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, jax.jit(align.fit)(KEY, source, target))


def kernel(a, b, variance):
    return np.exp(-((a[:, None] - b) ** 2).sum(-1) / (2 * variance))


def test_the_problem_is_that_of_the_paper():
    source, target = samples(0), samples(1, n=15, mean=0.5)
    matrix = kernel(source.x, source.x, 4.0)
    linear = 20 / 15 * kernel(source.x, target.x, 4.0).sum(1)
    slack = (np.sqrt(20) - 1) / np.sqrt(20)
    best = optimize.minimize(
        lambda b: 0.5 * b @ matrix @ b - linear @ b,
        np.ones(20),
        jac=lambda b: matrix @ b - linear,
        method='SLSQP',
        bounds=[(0, 1000)] * 20,
        constraints=optimize.LinearConstraint(
            np.ones(20), 20 * (1 - slack), 20 * (1 + slack)
        ),
        options={'ftol': 1e-14, 'maxiter': 500},
    )
    result = fit(shallow.kmm(variance=4.0), source, target)
    assert result.residual < 1e-6
    np.testing.assert_allclose(result.weight, best.x, atol=1e-4)


def test_weighted_means_of_the_source_are_nearer_the_target():
    source, target = samples(0, n=60), samples(1, n=60, mean=0.4)
    weight = fit(shallow.kmm(variance=6.0), source, target).weight
    distance = np.linalg.norm(source.x.mean(0) - target.x.mean(0))
    remaining = np.linalg.norm(weight @ source.x / weight.sum() - target.x.mean(0))
    assert remaining < 0.5 * distance


def test_bound_and_slack_hold():
    source, target = samples(0), samples(1, mean=0.8)

    @jax.jit
    def weight(bound, slack):
        align = shallow.kmm(variance=6.0, bound=bound, slack=slack)
        return align.fit(KEY, source, target).weight

    with jax.enable_x64(True):
        free, tied, low = (
            np.asarray(weight(*pair)) for pair in ((1e3, 0.8), (1.5, 0.0), (0.5, 0.0))
        )
    assert free.max() > 2
    assert tied.max() <= 1.5
    np.testing.assert_allclose(tied.sum(), 20)
    # If the bound is too small for the sum, all weights are at the bound.
    np.testing.assert_allclose(low, 0.5)


def test_a_domain_matched_with_itself_is_not_weighted():
    both = samples(0)
    result = fit(shallow.kmm(variance=6.0), both, both)
    np.testing.assert_allclose(result.weight, 1, atol=1e-5)


def test_the_width_is_the_median_of_both_domains():
    source, target = samples(0), samples(1, n=11, mean=0.5)
    both = np.concatenate([source.x, target.x])
    squares = ((both[:, None] - both) ** 2).sum(-1)[np.triu_indices(31, 1)]
    lower = np.sort(squares)[(len(squares) - 1) // 2]
    result = fit(shallow.kmm(), source, target)
    np.testing.assert_allclose(result.variance, lower / 2, rtol=1e-9)


def test_rows_are_evenly_spaced_and_padding_does_not_shift_them():
    with jax.enable_x64(True):
        index, present = widths.evenly_spaced_rows(np.ones(10), 4)
        assert present.all() and index.tolist() == [0, 2, 5, 7]
        mask = np.ones(14)
        mask[[0, 3, 12, 13]] = 0
        index, present = widths.evenly_spaced_rows(mask, 4)
        assert present.all() and index.tolist() == [1, 4, 7, 9]
        index, present = widths.evenly_spaced_rows(mask[:4], 4)
        assert index[:2].tolist() == [1, 2] and present.tolist() == [1, 1, 0, 0]


def test_vmap_over_hyper_parameters():
    source, target = samples(0), samples(1, mean=0.5)

    def weight(variance, slack):
        return shallow.kmm(variance=variance, slack=slack).fit(KEY, source, target)[0]

    with jax.enable_x64(True):
        many = jax.vmap(weight)(np.array([2.0, 8.0]), np.array([0.0, 0.5]))
    one = fit(shallow.kmm(variance=8.0, slack=0.5), source, target)
    np.testing.assert_allclose(many[1], one.weight, atol=1e-5)
    assert np.abs(many[0] - many[1]).max() > 0.1


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'variance': 0.0}, 'variance 0.0'),
        ({'bound': -1.0}, 'bound -1.0'),
        ({'slack': -0.1}, 'slack -0.1'),
    ],
)
def test_invalid_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        shallow.kmm(**wrong)
