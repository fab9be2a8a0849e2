"""Rules by hand."""

import numpy as np
import pytest

from transfer_jax import selection

NAN = float('nan')


def _row(step, source, fixed, test):
    return {
        'step': step,
        'source_validation': source,
        selection.FIXED: fixed,
        'target_test': test,
    }


HISTORY = [
    _row(1, 0.9, 0.1, 0.3),
    _row(2, 0.9, 0.7, 0.8),
    _row(3, NAN, 0.5, 0.8),
    _row(4, 0.2, NAN, 0.1),
]


@pytest.mark.parametrize(
    'rule, step',
    [('last', 4), ('source_validation', 2), ('fixed_validator', 2), ('oracle', 3)],
)
def test_each_rule_by_hand_and_ties_go_to_the_later_row(rule, step):
    assert selection.choose(HISTORY, selection.RULES[rule])['step'] == step


def test_nan_never_wins_unless_there_is_nothing_else():
    rows = [_row(1, -np.inf, 0, 0), _row(2, NAN, 0, 0)]
    rule = selection.RULES['source_validation']
    assert selection.choose(rows[::-1], rule)['step'] == 1
    assert selection.choose(rows[1:], rule)['step'] == 2


def test_nan_loses_to_the_lowest_score_behind_and_before_it():
    low, nan = _row(1, 0.0, 0, 0), _row(2, NAN, 0, 0)
    rule = selection.RULES['source_validation']
    assert selection.choose([low, nan], rule) is low
    assert selection.choose([nan, low], rule) is low


def test_only_the_oracle_looks_at_target_labels():
    for column, rule in selection.RULES.items():
        assert (rule.name == 'target_test') == (column == 'oracle') == rule.oracle
    fixed = selection.RULES['fixed_validator'].name
    assert fixed == selection.FIXED == 'calibrated_information_maximization'


def test_a_rule_is_defined_where_no_row_lacks_its_number():
    fixed = selection.RULES['fixed_validator']
    assert selection.defined(HISTORY[:3], fixed)
    assert not selection.defined(HISTORY, fixed)
    assert not selection.defined([{'step': 1}], fixed)
    assert selection.defined(HISTORY, selection.LAST)


def test_a_rule_may_want_the_lowest():
    rule = selection.Rule('target_test', 'min')
    assert selection.choose(HISTORY, rule)['step'] == 4
    nan = [_row(1, 0, 0, 0.5), _row(2, 0, 0, NAN)]
    assert selection.choose(nan, rule)['step'] == 1


def test_empty_histories_are_refused():
    with pytest.raises(ValueError, match='no rows'):
        selection.choose([], selection.LAST)


def test_any_column_can_choose():
    assert selection.best(HISTORY, selection.FIXED)['step'] == 2
    assert selection.best(HISTORY, 'step')['step'] == 4
    with pytest.raises(ValueError, match='no rows'):
        selection.best([], 'step')
