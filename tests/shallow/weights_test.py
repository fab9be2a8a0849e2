"""Tests of every method of instance weighting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.types import Samples

CLASSES = 3
KEY = jax.random.key(0)
CASES = {
    'density_ratio': shallow.density_ratio,
    'kliep': shallow.kliep,
    'kmm': shallow.kmm,
}


@pytest.fixture(params=CASES)
def align(request):
    return CASES[request.param]()


def samples(seed, n=24, d=7, mean=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, 1, (n, d)).astype(np.float32)
    return Samples(x, np.arange(n) % CLASSES, np.ones(n, np.float32))


def padded(whole, rows, value):
    fill = np.full((rows, whole.x.shape[1]), value, np.float32)
    return Samples(
        np.concatenate([fill[:1], whole.x, fill[1:]]),
        np.concatenate([[0], whole.label, np.zeros(rows - 1, whole.label.dtype)]),
        np.concatenate([[0], whole.mask, np.zeros(rows - 1, np.float32)]),
    )


def fit(align, source, target):
    made = shallow.pipeline(align, shallow.linear_svm(CLASSES))
    return made, made.fit(KEY, source, target)


def weights(align, source, target):
    return np.asarray(align.weights(fit(align, source, target)[1].alignment))


def test_examples_like_the_targets_weigh_more(align):
    source, target = samples(0, n=60), samples(1, n=50, mean=0.4)
    result = weights(align, source, target)
    assert result.shape == (60,) and result.min() >= 0
    assert abs(result.mean() - 1) < 0.6
    side = source.x.mean(1) > 0
    assert result[side].mean() > 2 * result[~side].mean()


def test_the_classifier_is_trained_with_the_weights(align):
    source, target = samples(0), samples(1, mean=0.4)
    made, fitted = fit(align, source, target)
    with jax.enable_x64(True):
        expected = shallow.linear_svm(CLASSES).fit(
            KEY, source, align.weights(fitted.alignment)
        )
    np.testing.assert_allclose(fitted.classifier.weight, expected.weight, atol=1e-5)
    plain = shallow.linear_svm(CLASSES).fit(KEY, source, None)
    assert np.abs(expected.weight - plain.weight).max() > 0.01
    features = made.predict(fitted, {'x': target.x})['features']
    np.testing.assert_allclose(features, target.x, rtol=1e-6)


def test_target_labels_change_nothing(align, same_bits):
    source, target = samples(0), samples(1)
    made, fitted = fit(align, source, target)
    other = target._replace(label=target.label[::-1].copy())
    same_bits(fitted, made.fit(KEY, source, other))


def test_padding_changes_nothing(align):
    source, target = samples(0), samples(1, mean=0.4)
    plain = weights(align, source, target)
    wide = weights(align, padded(source, 5, 100.0), padded(target, 9, -70.0))
    assert np.all(np.delete(wide, np.arange(1, 25)) == 0)
    np.testing.assert_allclose(wide[1:25], plain, atol=1e-5)


def test_jit_and_vmap_over_draws_give_what_single_fits_give(align):
    draws, target = [samples(seed) for seed in (0, 2)], samples(1)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *draws)
    made = shallow.pipeline(align, shallow.linear_svm(CLASSES))

    @jax.jit
    def together(sources):
        one = lambda s: align.weights(made.fit(KEY, s, target).alignment)  # noqa: E731
        return jax.vmap(one)(sources)

    single = [weights(align, draw, target) for draw in draws]
    np.testing.assert_allclose(together(stacked), single, atol=1e-5)


def test_fits_are_in_float64(align):
    _, fitted = fit(align, samples(0), samples(1))
    for leaf in jax.tree.leaves(fitted.alignment):
        assert leaf.dtype == jnp.float64


@pytest.mark.parametrize('case', ['one target', 'constant', 'copies', 'far apart'])
def test_hard_inputs_have_finite_weights(align, case):
    source, target = samples(0), samples(1)
    if case == 'one target':
        target = jax.tree.map(lambda leaf: leaf[:1], target)
    elif case == 'constant':
        source = source._replace(x=np.ones_like(source.x))
        target = target._replace(x=np.ones_like(target.x))
    elif case == 'copies':
        source = source._replace(x=np.repeat(source.x[:3], 8, 0))
        target = target._replace(x=np.repeat(target.x[:2], 12, 0))
    else:
        target = target._replace(x=target.x + 1e4)
    result = weights(align, source, target)
    assert np.all(np.isfinite(result)) and result.min() >= 0
    if case == 'constant':
        np.testing.assert_allclose(result, 1, atol=1e-6)


def test_a_classifier_without_weights_refuses(align):
    made = shallow.pipeline(align, shallow.nearest_neighbour(CLASSES))
    with pytest.raises(ValueError, match='instance weights'):
        made.fit(KEY, samples(0), samples(1))
