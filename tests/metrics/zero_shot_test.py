"""Measures of zero-shot learning: a case of three classes worked by hand."""

import numpy as np
import pytest

from transfer_jax import metrics

SEEN = np.array([True, True, False])
# Classes 0 and 1 are seen, 2 is unseen. Best seen minus best unseen score of each row:
# 4, 1, 3 (and wrong among the seen), 2, -1.
SCORES = np.array([[5, 0, 1], [3, 1, 2], [4, 1, 1], [1, 3, 1], [0, 1, 2.0]])
LABEL = np.array([0, 0, 1, 2, 2])


def test_accuracy_is_over_the_classes_of_the_list():
    predicted = np.array([0, 0, 0, 0, 0, 1, 2])
    label = np.array([0, 0, 0, 0, 1, 1, 2])
    mean = metrics.mean_class_accuracy
    assert mean(predicted, label, [0, 1, 2]) == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert mean(predicted, label, [1]) == 0.5
    assert np.mean(predicted == label) != mean(predicted, label, [0, 1, 2])
    with pytest.raises(ValueError, match='class 3 has no example'):
        mean(predicted, label, [0, 3])
    with pytest.raises(ValueError, match='at least one class'):
        mean(predicted, label, [])


def test_harmonic_mean_by_hand():
    assert metrics.harmonic_mean(0.2, 0.6) == pytest.approx(0.3)
    assert metrics.harmonic_mean(0.0, 0.7) == 0
    assert metrics.harmonic_mean(0.0, 0.0) == 0


def test_both_worlds_by_hand():
    # Without calibration the rows are predicted 0, 0, 0, 1, 2.
    assert metrics.generalised(SCORES, LABEL, SEEN) == pytest.approx(
        (1 / 2, 1 / 2, 1 / 2)
    )
    # gamma 1.5: the second row (0, difference 1) goes to the unseen class.
    result = metrics.generalised(SCORES, LABEL, SEEN, 1.5)
    assert result == pytest.approx((1 / 2, 1 / 4, 1 / 3))
    # gamma 2.5: the fourth row (2, difference 2) too.
    result = metrics.generalised(SCORES, LABEL, SEEN, 2.5)
    assert result == pytest.approx((1, 1 / 4, 2 / 5))
    np.testing.assert_array_equal(
        metrics.calibrated(SCORES, SEEN, 1.5), SCORES - [1.5, 1.5, 0]
    )


def test_the_curve_and_its_area_by_hand():
    curve = metrics.seen_unseen_curve(SCORES, LABEL, SEEN)
    # Rows change at gamma -1 (of 2), 1 (of 0), 2 (of 2), 3 (wrong before), 4 (of 0).
    np.testing.assert_allclose(curve.unseen, [0, 1 / 2, 1 / 2, 1, 1, 1])
    np.testing.assert_allclose(curve.seen, [1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 4, 0])
    np.testing.assert_allclose(curve.harmonic, [0, 1 / 2, 1 / 3, 2 / 5, 2 / 5, 0])
    assert metrics.ausuc(curve) == pytest.approx(1 / 2 * 1 / 2 + 1 / 2 * 1 / 4)


def test_every_point_of_the_curve_is_what_its_gamma_gives():
    rng = np.random.default_rng(0)
    scores = np.round(4 * rng.normal(size=(80, 7))) / 4  # differences coincide
    seen = np.arange(7) % 3 > 0
    label = np.arange(80) % 7
    curve = metrics.seen_unseen_curve(scores, label, seen)
    for gamma, *point in zip(*curve, strict=True):
        given = metrics.generalised(scores, label, seen, gamma)
        np.testing.assert_allclose(given, point, atol=1e-12)
    # No other gamma gives another point.
    for gamma in rng.uniform(-4, 4, 200):
        u, s, _ = metrics.generalised(scores, label, seen, gamma)
        near = abs(curve.unseen - u) + abs(curve.seen - s)
        assert near.min() < 1e-12
    assert (np.diff(curve.unseen) >= 0).all()
    assert (np.diff(curve.seen) <= 1e-12).all()


def test_the_area_is_that_of_many_gammas():
    rng = np.random.default_rng(1)
    label, seen = np.arange(60) % 5, np.arange(5) < 3
    scores = rng.normal(size=(60, 5)) + 2 * np.eye(5)[label] + 1.5 * seen
    points = [
        metrics.generalised(scores, label, seen, g) for g in np.arange(-9, 9, 2e-3)
    ]
    u, s, _ = np.array(points).T
    area = np.sum(np.diff(u) * (s[1:] + s[:-1]) / 2)
    assert metrics.ausuc(metrics.seen_unseen_curve(scores, label, seen)) == (
        pytest.approx(area, abs=2e-3)
    )


def test_the_unit_of_gamma_follows_the_scale_of_the_scores():
    assert metrics.score_deviation([[0, 2], [0, 4.0]]) == pytest.approx(1.5)
    results = [
        metrics.generalised(s, LABEL, SEEN, metrics.score_deviation(s))
        for s in (SCORES, 1000 * SCORES)
    ]
    assert results[0] == results[1]


@pytest.mark.parametrize('seen, kind', [([1, 1, 1], 'unseen'), ([0, 0, 0], 'seen')])
def test_one_world_alone_cannot_be_calibrated(seen, kind):
    calls = [
        lambda: metrics.calibrated(SCORES, seen, 1.0),
        lambda: metrics.generalised(SCORES, LABEL, seen),
        lambda: metrics.seen_unseen_curve(SCORES, LABEL, seen),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f'there are no {kind} classes'):
            call()


def test_errors_name_the_class_and_the_shapes():
    with pytest.raises(ValueError, match='class 1 has no example'):
        metrics.seen_unseen_curve(SCORES, np.array([0, 0, 0, 2, 2]), SEEN)
    with pytest.raises(ValueError, match=r'seen \(2,\) does not say'):
        metrics.generalised(SCORES, LABEL, SEEN[:2])
