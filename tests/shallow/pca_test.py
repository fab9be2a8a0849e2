"""Joint PCA against NumPy."""

import jax
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.types import Samples

CLASSES = 3


def samples(seed, n, d, mean=0.5):
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, 1, (n, d)) * np.linspace(2, 0.3, d)
    return Samples(x, np.arange(n) % CLASSES, np.ones(n))


def fit(source, target, dimension):
    made = shallow.pipeline(shallow.pca(dimension), shallow.nearest_neighbour(CLASSES))
    fitted = made.fit(jax.random.key(0), source, target)
    return made, fitted


@pytest.mark.parametrize(('n', 'm', 'd'), [(20, 30, 6), (5, 6, 20)])
def test_features_are_coordinates_of_the_pooled_examples(n, m, d):
    source, target = samples(0, n, d), samples(1, m, d, mean=-2)
    made, fitted = fit(source, target, 4)
    pooled = np.concatenate([source.x, target.x])
    mean = pooled.mean(0)
    axes = np.linalg.svd(pooled - mean, full_matrices=False)[2][:4].T
    sign = np.sign(np.sum(axes * np.asarray(fitted.alignment.directions), 0))
    for predict, x in ((made.predict_source, source.x), (made.predict, target.x)):
        result = predict(fitted, {'x': x})['features']
        np.testing.assert_allclose(result, (x - mean) @ axes * sign, atol=2e-5)


def test_all_dimensions_keep_every_distance():
    source, target = samples(0, 20, 5), samples(1, 20, 5, mean=-2)
    made, fitted = fit(source, target, 5)
    plain = shallow.pipeline(shallow.none(), shallow.nearest_neighbour(CLASSES))
    expected = plain.predict(
        plain.fit(jax.random.key(0), source, target), {'x': target.x}
    )
    result = made.predict(fitted, {'x': target.x})
    np.testing.assert_allclose(result['logits'], expected['logits'], rtol=1e-5)


def test_coordinates_beyond_the_rank_are_zero():
    source, target = samples(0, 2, 9), samples(1, 1, 9)
    made, fitted = fit(source, target, 6)
    features = np.asarray(made.predict(fitted, {'x': target.x})['features'])
    assert np.any(features[:, :2]) and not np.any(features[:, 2:])


def test_an_invalid_dimension_is_refused():
    with pytest.raises(ValueError, match='dimension 0'):
        shallow.pca(0)
    with pytest.raises(ValueError, match='dimension 7.*have 6'):
        fit(samples(0, 9, 6), samples(1, 9, 6), 7)
