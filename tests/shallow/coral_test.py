"""CORAL against SciPy's matrix functions, and covariances that are singular."""

import functools
import warnings

import jax
import numpy as np
import pytest
import scipy.linalg

from transfer_jax import shallow
from transfer_jax.types import Samples


def samples(seed, n, d=5, mean=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, 1, (n, d)) @ rng.normal(size=(d, d))
    return Samples(x, np.arange(n) % 3, np.ones(n))


@functools.cache
def compiled(**options):
    def run(regularisation, source, target):
        align = shallow.coral(regularisation, **options)
        fitted = align.fit(None, source, target)
        return align.source(fitted, source.x), align.target(fitted, target.x)

    return jax.jit(run)


def mapped(source, target, regularisation, **options):
    with jax.enable_x64(True):
        result, same = compiled(**options)(regularisation, source, target)
        if not options.get('center'):
            np.testing.assert_array_equal(same, target.x)
    return np.asarray(result)


@pytest.mark.parametrize('nt', [20, 3])  # 3 examples span 2 directions
def test_the_source_is_whitened_and_coloured(nt):
    source, target = samples(0, 30, mean=1.0), samples(1, nt)
    cs, ct = (np.cov(part.x.T) + np.eye(5) for part in (source, target))
    power = scipy.linalg.fractional_matrix_power
    expected = source.x @ power(cs, -0.5) @ power(ct, 0.5)
    result = mapped(source, target, 1.0, relative=False)
    np.testing.assert_allclose(result, expected, atol=1e-9)


def test_two_features_by_hand():
    x = np.array([[1.0, 0], [-1, 0], [0, 2], [0, -2], [0, 0]])  # variances 1/2, 2
    source = Samples(x, np.arange(5) % 3, np.ones(5))
    target = Samples(x[:, ::-1] * 3, np.arange(5) % 3, np.ones(5))  # 18, 9/2
    expected = x * np.sqrt([(18 + 2) / (1 / 2 + 2), (9 / 2 + 2) / (2 + 2)])
    result = mapped(source, target, 2.0, relative=False)
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    # The mean variances are 5/4 and 45/4; a constant feature does not count.
    expected = x * np.sqrt([(18 + 45 / 2) / (3), (9 / 2 + 45 / 2) / (2 + 5 / 2)])
    np.testing.assert_allclose(mapped(source, target, 2.0), expected, rtol=1e-12)
    source, target = (
        part._replace(x=np.insert(part.x, 1, 7.0, axis=1)) for part in (source, target)
    )
    result = mapped(source, target, 2.0)[:, [0, 2]]
    np.testing.assert_allclose(result, expected, rtol=1e-9)


def test_features_of_any_scale_are_adapted_equally():
    source, target = samples(0, 30), samples(1, 20)
    whole = mapped(source, target, 1.0)
    for s, t in ((1e-4, 1e-4), (1e3, 1e3), (1e-3, 1.0)):
        small = (source._replace(x=s * source.x), target._replace(x=t * target.x))
        np.testing.assert_allclose(mapped(*small, 1.0), t * whole, rtol=1e-6)
    # Rows of length 1 and shares of words are adapted, and with the paper's r are not.
    for norm in (np.linalg.norm, lambda x, **_: np.abs(x).sum(1, keepdims=True) * 40):
        pair = [
            p._replace(x=np.abs(p.x) / norm(p.x, axis=1, keepdims=True))
            for p in (samples(0, 200, 60), samples(1, 200, 60))
        ]
        change = [
            np.linalg.norm(mapped(*pair, 1.0, relative=relative) - pair[0].x)
            / np.linalg.norm(pair[0].x)
            for relative in (True, False)
        ]
        assert change[0] > 0.1 > 5 * change[1]


def test_features_with_one_variance_are_adapted_as_in_the_paper():
    pair = [
        p._replace(x=(p.x - p.x.mean(0)) / p.x.std(0, ddof=1))
        for p in (samples(0, 30), samples(1, 20))
    ]
    paper = mapped(*pair, 1.0, relative=False)
    np.testing.assert_allclose(mapped(*pair, 1.0), paper, rtol=1e-10)


METHODS = {
    'coral': (shallow.coral, 'pass center=True'),
    'subspace_alignment': (
        functools.partial(shallow.subspace_alignment, 2),
        'pass center=True',
    ),
    'tca': (functools.partial(shallow.tca, 2), 'unit_rows=False'),
}


@pytest.mark.parametrize('name', METHODS)
def test_a_common_constant_is_warned_of_and_with_center_changes_nothing(name):
    make, remedy = METHODS[name]
    far = samples(0, 30, mean=1.0), samples(1, 20)
    near = [part._replace(x=part.x.copy()) for part in far]
    for part in far:
        part.x[:] += 100.0

    def logits(source, target, **options):
        made = shallow.pipeline(make(**options), shallow.nearest_neighbour(3))
        fitted = made.fit(jax.random.key(0), source, target)
        return made.predict(fitted, {'x': target.x})['logits']

    with pytest.warns(UserWarning, match=f'more than tenfold.*{remedy}'):
        moved = logits(*far)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        plain = logits(*near)
        if name != 'tca':
            both = [logits(*pair, center=True) for pair in (near, far)]
            np.testing.assert_allclose(*both, atol=1e-4)
    assert np.abs(moved - plain).max() > 0.1


def test_with_center_each_domain_loses_its_mean():
    source, target = samples(0, 30, mean=4.0), samples(1, 20, mean=-3.0)
    centred = [p._replace(x=p.x - p.x.mean(0)) for p in (source, target)]
    result = mapped(source, target, 1.0, center=True)
    np.testing.assert_allclose(result, mapped(*centred, 1.0), atol=1e-9)


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
