"""The ratio of densities by a classifier of domains, against scikit-learn."""

import jax
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.types import Samples

KEY = jax.random.key(0)


def samples(seed, n=40, d=3, mean=0.0):
    x = np.random.default_rng(seed).normal(mean, 1, (n, d))
    return Samples(x, np.arange(n) % 2, np.ones(n))


def fit(align, source, target):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, jax.jit(align.fit)(KEY, source, target))


@pytest.mark.parametrize(('d', 'cost'), [(3, 1.0), (3, 0.01), (60, 0.1)])
def test_weights_are_the_odds_of_scikit_learns_regression(d, cost):
    from sklearn import linear_model

    source, target = samples(0, d=d), samples(1, n=25, d=d, mean=0.5)
    other = linear_model.LogisticRegression(C=cost, solver='newton-cholesky', tol=1e-10)
    other.fit(np.concatenate([source.x, target.x]), np.repeat([0, 1], [40, 25]))
    chance = other.predict_proba(source.x)
    result = fit(shallow.density_ratio(cost=cost), source, target)
    assert result.converged == 1
    expected = 40 / 25 * chance[:, 1] / chance[:, 0]
    np.testing.assert_allclose(result.weight, expected, rtol=1e-5)


def test_the_ratio_of_two_gaussians_is_recovered():
    source, target = samples(0, n=4000, d=1), samples(1, n=2000, d=1, mean=0.5)
    result = fit(shallow.density_ratio(), source, target)
    x = np.linspace(-1, 2, 7)[:, None]
    with jax.enable_x64(True):
        weight = np.asarray(shallow.density_ratio_weights(result, x))
    np.testing.assert_allclose(weight, np.exp(0.5 * x[:, 0] - 0.125), rtol=0.15)


def test_no_weight_is_infinite():
    source, target = samples(0), samples(1)
    source, target = (
        s._replace(x=s.x + 1e3 * i) for i, s in enumerate((source, target))
    )
    result = fit(shallow.density_ratio(cost=1e6), source, target)
    with jax.enable_x64(True):
        far = shallow.density_ratio_weights(result, 1e9 * np.ones((1, 3)))
    np.testing.assert_allclose(far, np.exp(50.0))
    assert np.all(result.weight >= np.exp(-50.0))


def test_an_invalid_cost_is_refused():
    with pytest.raises(ValueError, match='cost 0'):
        shallow.density_ratio(cost=0)
