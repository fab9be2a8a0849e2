"""Means over seeds and their intervals, by hand."""

import numpy as np
import pytest

from transfer_jax.reports import averages
from transfer_jax.runs import result


def test_the_interval_is_that_of_students_t():
    """0.7, 0.8, 0.9: mean 0.8, std 0.1, t of 2 degrees 4.30265."""
    score = averages.score(result.mean_std([0.7, 0.8, 0.9]), 3)
    half = 4.302652729911275 * 0.1 / np.sqrt(3)
    assert averages.interval(0.8, 0.1, 3) == pytest.approx((0.8 - half, 0.8 + half))
    # The upper end, 1.048, is no accuracy.
    assert score.interval == pytest.approx((0.8 - half, 1.0))
    assert averages.shown(score) == '80.0 ± 10.0'
    assert averages.shown_interval(score) == '55.2 to 100.0'


def test_of_two_seeds_it_is_wide():
    low, high = averages.interval(3.0, 0.1, 2)
    assert (low, high) == pytest.approx((3 - 0.898465, 3 + 0.898465), rel=1e-5)
    score = averages.score({'mean': 3.0, 'std': 0.1}, 2, percent=False)
    assert averages.shown_interval(score) == '2.10 to 3.90'


def test_one_seed_has_none():
    score = averages.score(result.mean_std([0.7]), 1)
    assert score.interval is None and averages.shown_interval(score) == ''
