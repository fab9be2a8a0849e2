"""Retrieval measures by hand, and against a program written out step by step."""

import numpy as np
import pytest

from transfer_jax import metrics


def program(ranked, positives, junk):
    """The published rule, an item at a time."""
    old_recall, old_precision, area, found, rank = 0.0, 1.0, 0.0, 0, 0
    for item in ranked:
        if item in junk:
            continue
        rank += 1
        found += item in positives
        recall, precision = found / len(positives), found / rank
        area += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return area


def test_the_trapezoidal_rule_by_hand():
    lists = [[1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 0]]
    result = metrics.trapezoidal_average_precision(np.array(lists))
    # [0, 1]: precision 0 before and 1/2 at the item. [1, 0, 1]: 1, then (1/2 + 2/3) / 2
    expected = [1, (0 + 1 / 2) / 2, (1 + (1 / 2 + 2 / 3) / 2) / 2, np.nan]
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    first = metrics.trapezoidal_average_precision(np.array([[1, 0]]), np.array([4]))
    np.testing.assert_allclose(first, 1 / 4)  # three were never retrieved


def test_it_is_the_rule_of_the_published_program():
    rng = np.random.default_rng(0)
    for _ in range(20):
        ranked = rng.permutation(30)
        positives, junk = set(rng.permutation(30)[:7]), set(rng.permutation(30)[:6])
        listed = {int(item) for item in positives}
        relevant = np.isin(ranked, list(listed))[None]
        kept = metrics.without_junk(relevant, np.isin(ranked, list(junk))[None])
        result = metrics.trapezoidal_average_precision(kept, np.array([len(listed)]))
        np.testing.assert_allclose(result, program(ranked, listed, junk), rtol=1e-12)


def test_junk_is_as_if_it_had_not_been_ranked():
    relevant = np.array([[0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]])
    junk = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1]])
    kept = metrics.without_junk(relevant, junk)
    assert kept.tolist() == [[1, 0, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_allclose(
        metrics.average_precision(kept), [(1 + 2 / 3) / 2, 1, 1], rtol=1e-6
    )
    np.testing.assert_allclose(
        metrics.trapezoidal_average_precision(kept), [(1 + 7 / 12) / 2, 1, 1]
    )
    assert float(metrics.recall_at(kept, 1)) == 1


def test_an_item_that_is_junk_and_relevant_is_junk():
    kept = metrics.without_junk(np.array([[1, 1]]), np.array([[1, 0]]))
    assert kept.tolist() == [[True, False]]
    # The published program counts it among the positives all the same.
    result = metrics.trapezoidal_average_precision(kept, np.array([2]))
    np.testing.assert_allclose(result, program([0, 1], {0, 1}, {0}))


def test_the_n_s_score_counts_among_the_first_four():
    relevant = np.array([[1, 1, 1, 1, 0], [1, 0, 0, 1, 1], [1, 0, 0, 0, 1]])
    assert metrics.n_s_score(relevant) == pytest.approx((4 + 2 + 1) / 3)
    share = float(metrics.precision_at(relevant, 4))
    assert metrics.n_s_score(relevant) == pytest.approx(4 * share)


def test_what_is_no_list_is_refused():
    with pytest.raises(ValueError, match=r'relevant \(2,\)'):
        metrics.trapezoidal_average_precision(np.ones(2))
    with pytest.raises(ValueError, match=r'junk \(1, 3\)'):
        metrics.without_junk(np.ones((1, 2)), np.ones((1, 3)))
    with pytest.raises(ValueError, match='k of at least 4'):
        metrics.n_s_score(np.ones((2, 3)))
