"""Arms compared within folds."""

import numpy as np

from experiments.localization import paired

ROWS = [
    {'arm': 'a', 'fold': 0, 'x': 0.5},
    {'arm': 'a', 'fold': 1, 'x': 0.9},
    {'arm': 'b', 'fold': 0, 'x': 0.6},
    {'arm': 'b', 'fold': 1, 'x': 0.8},
    {'arm': 'c', 'fold': 1, 'x': 1.0},
]


def test_differences_are_within_folds():
    found = paired.differences(ROWS, 'arm', 'fold', 'x', 'a')
    assert set(found) == {'b', 'c'}
    np.testing.assert_allclose(found['b'], [0.1, -0.1])
    np.testing.assert_allclose(found['c'], [0.1])


def test_a_table_has_mean_deviation_and_count():
    head, body = paired.table(ROWS, paired.Pairs('arm', 'fold', 'a', ('x',)))
    assert head == ['arm', 'x', 'above']
    assert body == [['b', '+0.0 ± 14.1', '1/2'], ['c', '+10.0', '1/1']]
