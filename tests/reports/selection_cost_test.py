"""The cost of selecting a model without target labels, by hand."""

import pytest

from transfer_jax.reports import selection_cost


def _number(*values):
    return {'target_test': {'values': list(values), 'mean': sum(values) / len(values)}}


RESULT = {
    'method': 'mcc',
    'task': 'a_to_b, adda',
    'seeds': [0, 1],
    'scores': {'last': _number(0.5, 0.7), 'oracle': _number(0.8, 0.9)},
    'validators': {'snd': _number(0.1, 0.1), 'bnm': _number(0.8, 0.8)},
}


def test_the_cost_is_what_the_oracle_would_have_had():
    (row,) = selection_cost.rows([RESULT])
    assert row['cost'] == pytest.approx({'last': 25, 'snd': 75, 'bnm': 5})
    assert row['oracle'] == pytest.approx(0.85)


def test_the_table_has_a_line_for_each_rule_and_validator():
    lines = selection_cost.table([RESULT]).splitlines()
    assert lines[0].split('  ')[-1].strip() == 'mcc, a_to_b, adda (n 2)'
    assert [line.split()[-1] for line in lines[2:6]] == ['85.0', '25.0', '75.0', '5.0']
    assert selection_cost.table([]) == 'No result files yet.'
