"""The stable dimension against its inequality."""

import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.types import Samples


def samples(seed, n):
    x = np.random.default_rng(seed).normal(size=(n, 6)) * [9, 5, 3, 1, 0.9, 0.2]
    return Samples(x, np.zeros(n, int), np.ones(n))


@pytest.mark.parametrize('deviation', [300.0, 1e3, 1e4, 1e6])
def test_it_is_the_last_dimension_with_a_sufficient_gap(deviation):
    pair = samples(0, 50), samples(1, 40)
    values = [np.linalg.eigvalsh(np.cov(s.x.T, bias=True))[::-1] for s in pair]
    longest = max(np.sum((s.x - s.x.mean(0)) ** 2, 1).max() for s in pair)
    last = 0
    for d in range(1, 7):
        gap = min(v[d - 1] - (v[d] if d < 6 else 0) for v in values)
        needed = (1 + np.sqrt(np.log(2 / 0.2) / 2)) * 16 * d**1.5 * longest
        if gap >= needed / (deviation * np.sqrt(40)):
            last = d
    assert last > 0
    result = shallow.stable_dimension(*pair, deviation=deviation, risk=0.2)
    assert result == last


def test_padding_and_the_unit_of_the_features_change_nothing():
    pair = samples(0, 50), samples(1, 40)
    plain = shallow.stable_dimension(*pair, deviation=1e3)
    scaled = [s._replace(x=100 * s.x) for s in pair]
    assert shallow.stable_dimension(*scaled, deviation=1e3) == plain
    filled = Samples(
        np.concatenate([pair[0].x, np.full((4, 6), 1e3)]),
        np.zeros(54, int),
        np.concatenate([np.ones(50), np.zeros(4)]),
    )
    assert shallow.stable_dimension(filled, pair[1], deviation=1e3) == plain


def test_problems_without_a_solution_are_refused():
    pair = samples(0, 50), samples(1, 40)
    with pytest.raises(ValueError, match='no dimension is stable'):
        shallow.stable_dimension(*pair, deviation=1e-3)
    with pytest.raises(ValueError, match='no dimension is stable'):
        shallow.stable_dimension(pair[0], samples(2, 1), deviation=1e9)
    with pytest.raises(ValueError, match='risk 1'):
        shallow.stable_dimension(*pair, deviation=1e3, risk=1)
    with pytest.raises(ValueError, match='deviation'):
        shallow.stable_dimension(*pair, deviation=0)
