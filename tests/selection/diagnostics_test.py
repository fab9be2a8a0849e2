"""Diagnostics of similar and of distant domains, and by hand."""

import numpy as np
import pytest

from transfer_jax import selection
from transfer_jax.selection import diagnostics


def _classes(n, rotate=False, shift=0.0, seed=0):
    """(features (n, 6), label): three classes, each near one of three axes."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    axis = (label + rotate * 1) % 3
    x = 5 * np.eye(6)[axis] + 0.1 * rng.normal(size=(n, 6)) + shift * np.eye(6)[5]
    return x.astype(np.float32), label


def test_domains_alike_and_apart():
    alike = selection.diagnose(*_classes(150), _classes(300, seed=1)[0])
    apart = selection.diagnose(*_classes(150), _classes(300, shift=9.0, seed=1)[0])
    assert alike.keys() == set(selection.DIAGNOSTICS)
    assert alike['a_distance'] < 0.5 and apart['a_distance'] == 2
    assert alike['mmd'] < 0.1 < 0.5 < apart['mmd']
    assert alike['reverse_validation_linear'] == 1
    assert apart['reverse_validation_linear'] == 1  # the classes lie alike


def test_the_a_distance_does_not_follow_from_sizes():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 3))
    assert diagnostics.a_distance(x[:100], x[100:]) < 0.3
    x[:100, 0] += 2
    apart = [x[100:200], x[100:]]
    one, other = [diagnostics.a_distance(x[:100], target) for target in apart]
    assert one > 0.8 and abs(one - other) < 0.3


def test_mmd_of_two_points_by_hand():
    # The distance 2 is the median: k(s, t) = exp(-1/2).
    result = diagnostics.mmd(np.array([[0.0]]), np.array([[2.0]]))
    assert result == pytest.approx(np.sqrt(2 - 2 * np.exp(-0.5)), rel=1e-6)


def test_mmd_against_a_loop():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(7, 3)), rng.normal(1, 1, (9, 3))
    x = np.concatenate([source, target])
    distances = [np.sum((a - b) ** 2) for i, a in enumerate(x) for b in x[:i]]
    width = np.median(np.sqrt(distances))

    def mean(a, b):
        return np.mean(
            [np.exp(-np.sum((p - q) ** 2) / (2 * width**2)) for p in a for q in b]
        )

    square = mean(source, source) - 2 * mean(source, target) + mean(target, target)
    assert diagnostics.mmd(source, target) == pytest.approx(np.sqrt(square), rel=1e-4)


def test_labels_lost_in_reverse_validation():
    """The target has images of one class only, so the other classes are lost."""
    source, label = _classes(90)
    target = source[label == 1]
    result = diagnostics.reverse_validation_linear(source, label, target)
    assert result == pytest.approx(1 / 3)


DEGENERATE = {
    'constant': (np.ones((4, 3)), np.ones((6, 3))),
    'one image each': (np.zeros((1, 3)), np.ones((1, 3))),
    'mostly one point': (np.zeros((9, 2)), np.eye(9, 2)),
    'fewer images than features': (np.eye(4, 90), np.eye(6, 90)[::-1]),
}


@pytest.mark.parametrize('source, target', DEGENERATE.values(), ids=DEGENERATE)
def test_poor_features_have_diagnostics(source, target):
    result = selection.diagnose(source, np.arange(len(source)) % 2, target)
    assert all(np.isfinite(value) for value in result.values())


def test_features_that_are_not_finite_have_nan_diagnostics():
    x = np.full((4, 2), np.nan)
    result = selection.diagnose(x, np.arange(4), x)
    assert all(np.isnan(value) for value in result.values())
