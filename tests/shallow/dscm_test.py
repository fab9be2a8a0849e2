"""DSCM against SciPy, its metric against its objective."""

import jax
import numpy as np
import pytest
from scipy import special

from transfer_jax import shallow
from transfer_jax.types import Samples

CLASSES = 3
KEY = jax.random.key(0)


def samples(seed, n, d=6, shift=0.0, gap=1.0):
    rng = np.random.default_rng(seed)
    label = np.arange(n) % CLASSES
    x = rng.normal(size=(n, d)) + gap * np.eye(CLASSES, d)[label] + shift
    return Samples(x, label, np.ones(n))


def logits(align, source, target, labelled=None):
    made = shallow.pipeline(align)
    fitted = made.fit(KEY, source, target, labelled)
    result = np.asarray(made.predict(fitted, {'x': target.x})['logits'])
    return result, jax.tree.map(np.asarray, fitted.alignment)


def mixture(x, parts, metric=None):
    """log sum_d w_d exp(-d^2 / 2), parts: (weight, features, labels)."""
    metric = np.eye(x.shape[1]) if metric is None else metric
    terms = []
    for weight, features, label in parts:
        means = np.stack([features[label == c].mean(0) for c in range(CLASSES)])
        apart = (x[:, None] - means) @ metric
        terms.append(np.log(weight) - np.sum(apart**2, 2) / 2)
    return special.logsumexp(terms, axis=0)


def test_posteriors_are_the_mixture():
    source, target, labelled = samples(0, 12), samples(1, 9, shift=0.4), samples(2, 6)
    align = shallow.dscm(CLASSES, source_weight=1.0, target_weight=2.5)
    result, _ = logits(align, source, target, labelled)
    parts = (1, source.x, source.label), (2.5, labelled.x, labelled.label)
    expected = mixture(target.x, parts)
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert np.abs(expected - mixture(target.x, parts[:1])).max() > 0.5


def test_without_target_labels_it_is_the_nearest_source_mean():
    source, target = samples(0, 12), samples(1, 9)
    result, _ = logits(shallow.dscm(CLASSES), source, target)
    made = shallow.pipeline(shallow.none(), shallow.nearest_class_mean(CLASSES))
    plain = made.predict(made.fit(KEY, source, target), {'x': target.x})['logits']
    np.testing.assert_allclose(result, np.asarray(plain) / 2, rtol=1e-5)


def test_far_features_and_absent_classes_have_finite_logits():
    source, target, labelled = samples(0, 12), samples(1, 9), samples(2, 6)
    source = source._replace(x=1e4 * source.x, label=np.minimum(source.label, 1))
    target = target._replace(x=1e4 * target.x)
    labelled = labelled._replace(x=1e4 * labelled.x, label=labelled.label * 0)
    result, _ = logits(shallow.dscm(CLASSES, rounds=2), source, target, labelled)
    assert np.isfinite(result).all() and set(result.argmax(1)) <= {0, 1}


def test_the_metric_lowers_the_objective():
    source, target, labelled = samples(0, 24), samples(1, 9, shift=0.4), samples(2, 6)
    align = shallow.dscm_metric(CLASSES, 2, steps=60)
    result, fitted = logits(align, source, target, labelled)
    parts = (1, source.x, source.label), (1, labelled.x, labelled.label)
    x = np.concatenate([source.x, labelled.x])
    label = np.concatenate([source.label, labelled.label])

    def loss(metric):
        log_p = special.log_softmax(mixture(x, parts, metric), axis=1)
        return -np.mean(log_p[np.arange(len(x)), label])

    np.testing.assert_allclose(fitted.objective[-1], loss(fitted.metric), rtol=1e-6)
    centred = x - x.mean(0)
    start = np.linalg.svd(centred, full_matrices=False)[2][:2].T
    np.testing.assert_allclose(fitted.objective[0], loss(start), rtol=1e-6)
    assert (np.diff(fitted.objective) <= 0).all()
    assert fitted.objective[-1] < 0.7 * fitted.objective[0]
    expected = mixture(target.x, parts, fitted.metric)
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    # Near a stationary point, finite-difference slopes are small relative to the first.
    ends = []
    for metric in (start, fitted.metric):
        slope = np.zeros_like(metric)
        for index in np.ndindex(metric.shape):
            up, down = metric.copy(), metric.copy()
            up[index] += 1e-5
            down[index] -= 1e-5
            slope[index] = (loss(up) - loss(down)) / 2e-5
        ends.append(np.linalg.norm(slope))
    assert ends[1] < 0.2 * ends[0]


def test_a_round_adds_the_most_and_removes_the_least_confident():
    source, target = samples(0, 12, gap=2), samples(1, 15, shift=0.2, gap=2)
    _, fitted = logits(shallow.dscm(CLASSES, rounds=1, per_class=2), source, target)
    label = fitted.label
    part = ((1, source.x, source.label),)
    p = special.log_softmax(mixture(target.x, part), axis=1)
    log_p = special.log_softmax(mixture(source.x, part), axis=1)
    for c in range(CLASSES):
        members = np.flatnonzero(p.argmax(1) == c)
        surest = members[np.argsort(-p[members, c])[:2]]
        assert set(np.flatnonzero(label[12:] == c)) == set(surest)
        members = np.flatnonzero(source.label == c)
        stay = members[np.argsort(log_p[members, c])[2:]]
        assert set(np.flatnonzero(label[:12] == c)) == set(stay)
    assert (label >= 0).sum() == 12


def test_rounds_follow_a_shift():
    # The target classes lie between the source classes.
    source, target = samples(0, 90, gap=6), samples(1, 300, gap=6)
    source.x[:, 0] += 2.5
    align = shallow.dscm(CLASSES, target_weight=1.0, rounds=15, per_class=2)
    hits = []
    for method in (shallow.dscm(CLASSES), align):
        result, fitted = logits(method, source, target)
        hits.append(np.mean(result.argmax(1) == target.label))
    assert hits[1] >= hits[0] and hits[1] > 0.95
    assert all((fitted.label[:90] == c).sum() >= 1 for c in range(CLASSES))


def test_rounds_ignore_padding():
    source, target = samples(0, 12), samples(1, 9)
    wide = jax.tree.map(lambda leaf: np.concatenate([leaf, leaf[:3]]), target)
    wide.mask[9:] = 0
    align = shallow.dscm(CLASSES, rounds=6, per_class=2)
    plain, _ = logits(align, source, target)
    result, fitted = logits(align, source, wide)
    np.testing.assert_allclose(result[:9], plain, rtol=1e-5)
    assert (fitted.label[-3:] == -1).all()


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match='target_weight 0'):
        shallow.dscm(CLASSES, target_weight=0)
    with pytest.raises(ValueError, match='rounds -1'):
        shallow.dscm(CLASSES, rounds=-1)
    with pytest.raises(ValueError, match='dimension 9'):
        logits(shallow.dscm_metric(CLASSES, 9), samples(0, 6), samples(1, 6))
