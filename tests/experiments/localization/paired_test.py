"""Methods compared within folds."""

import numpy as np

from experiments.localization import paired

ROWS = [
    {'method': 'a', 'fold': 0, 'x': 0.5},
    {'method': 'a', 'fold': 1, 'x': 0.9},
    {'method': 'b', 'fold': 0, 'x': 0.6},
    {'method': 'b', 'fold': 1, 'x': 0.8},
    {'method': 'c', 'fold': 1, 'x': 1.0},
]


def test_differences_are_within_folds():
    differences = paired.differences(ROWS, 'method', 'fold', 'x', 'a')
    assert set(differences) == {'b', 'c'}
    np.testing.assert_allclose(differences['b'], [0.1, -0.1])
    np.testing.assert_allclose(differences['c'], [0.1])


def test_a_table_has_mean_deviation_and_count():
    head, body = paired.table(ROWS, paired.Pairs('method', 'fold', 'a', ('x',)))
    assert head == ['method', 'x', 'above']
    assert body == [['b', '+0.0 ± 14.1', '1/2'], ['c', '+10.0', '1/1']]
