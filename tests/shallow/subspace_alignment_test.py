"""Subspace Alignment against NumPy, and what must not change its predictions."""

import jax
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.types import Samples

CLASSES = 3


def samples(seed, n, d, mean=0.5):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) @ np.diag(np.linspace(2, 0.3, d)) + mean
    label = np.arange(n) % CLASSES
    return Samples(x, label, np.ones(n))


def logits(align, source, target):
    made = shallow.pipeline(align, shallow.nearest_neighbour(CLASSES))
    fitted = made.fit(jax.random.key(0), source, target)
    return np.asarray(jax.jit(made.predict)(fitted, {'x': target.x})['logits'])


def directions(x, count):
    """By a singular value decomposition instead of an eigenproblem."""
    return np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:count].T


@pytest.mark.parametrize(('n', 'm', 'd'), [(30, 25, 6), (9, 8, 20), (9, 40, 12)])
def test_features_are_those_of_the_equations(n, m, d):
    source, target = samples(0, n, d), samples(1, m, d, mean=-0.2)
    align = shallow.subspace_alignment(4)
    made = shallow.pipeline(align, shallow.nearest_neighbour(CLASSES))
    fitted = jax.jit(made.fit)(
        jax.random.key(0),
        source._replace(x=source.x.astype(np.float32)),
        target._replace(x=target.x.astype(np.float32)),
    )
    fitted = jax.tree.map(np.asarray, fitted.alignment)

    xs = directions(source.x.astype(np.float32).astype(float), 4)
    xt = directions(target.x.astype(np.float32).astype(float), 4)
    best = np.linalg.lstsq(xs, xt, rcond=None)[0]  # of eq. 1, without eq. 3
    sign = np.sign(
        np.sum(xt * fitted.target, 0)
    )  # the sign of a direction is arbitrary
    np.testing.assert_allclose(fitted.target, xt * sign, atol=1e-9)
    np.testing.assert_allclose(fitted.source, xs @ best * sign, atol=1e-9)


def test_features_are_mapped_without_centring():
    source, target = samples(0, 20, 5, mean=3.0), samples(1, 20, 5, mean=-3.0)
    align = shallow.subspace_alignment(2)
    made = shallow.pipeline(align, shallow.nearest_neighbour(CLASSES))
    fitted = made.fit(jax.random.key(0), source, target)
    answers = made.predict_source(fitted, {'x': source.x})
    expected = source.x @ np.asarray(fitted.alignment.source)
    np.testing.assert_allclose(answers['features'], expected, rtol=1e-5)
    answers = made.predict(fitted, {'x': target.x})
    expected = target.x @ np.asarray(fitted.alignment.target)
    np.testing.assert_allclose(answers['features'], expected, rtol=1e-5)


def test_with_center_each_domain_loses_its_mean():
    source, target = samples(0, 20, 5, mean=3.0), samples(1, 20, 5, mean=-3.0)
    centred = [p._replace(x=p.x - p.x.mean(0)) for p in (source, target)]
    result = logits(shallow.subspace_alignment(2, center=True), source, target)
    expected = logits(shallow.subspace_alignment(2), *centred)
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_all_dimensions_of_the_features_are_no_adaptation():
    source, target = samples(0, 30, 5), samples(1, 30, 5, mean=-0.2)
    whole = logits(shallow.subspace_alignment(5), source, target)
    np.testing.assert_allclose(whole, logits(shallow.none(), source, target), rtol=1e-5)
    part = logits(shallow.subspace_alignment(2), source, target)
    assert np.abs(part - whole).max() > 0.1


def test_a_domain_aligned_with_itself_is_no_adaptation():
    both = samples(0, 6, 20)  # of rank 5 after centring, in 20 dimensions
    aligned = logits(shallow.subspace_alignment(5), both, both)
    plain = logits(shallow.none(), both, both)
    np.testing.assert_allclose(aligned, plain, atol=1e-5)
    assert aligned.argmax(1).tolist() == both.label.tolist()


def test_a_turn_of_both_feature_spaces_changes_nothing():
    source, target = samples(0, 30, 6), samples(1, 25, 6, mean=-0.2)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    align = shallow.subspace_alignment(3)
    np.testing.assert_allclose(
        logits(align, source, target),
        logits(
            align,
            source._replace(x=source.x @ turn),
            target._replace(x=target.x @ turn),
        ),
        rtol=1e-5,
    )


@pytest.mark.parametrize('few', [0, 1])
def test_a_domain_of_few_examples_gives_the_directions_it_has(few):
    pair = [samples(0, 30, 8), samples(1, 30, 8)]
    pair[few] = jax.tree.map(lambda leaf: leaf[:4], pair[few])  # spans 3
    made = shallow.pipeline(
        shallow.subspace_alignment(6), shallow.nearest_neighbour(CLASSES)
    )
    align = made.fit(jax.random.key(0), *pair).alignment
    maps = [np.asarray(align.source), np.asarray(align.target)]
    assert [np.linalg.matrix_rank(m, tol=1e-9) for m in maps] == [3, 3 if few else 6]
    xs, xt = directions(pair[0].x, 3 if not few else 6), directions(pair[1].x, 6)
    xt = xt[:, :3] if few else xt
    np.testing.assert_allclose(maps[0] @ maps[1].T, xs @ xs.T @ xt @ xt.T, atol=1e-9)


def test_an_invalid_dimension_is_refused():
    with pytest.raises(ValueError, match='dimension 0'):
        shallow.subspace_alignment(0)
    with pytest.raises(ValueError, match='dimension 7.*have 6'):
        logits(shallow.subspace_alignment(7), samples(0, 9, 6), samples(1, 9, 6))
