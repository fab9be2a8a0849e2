"""The cost of selecting a model without target labels, by hand."""

import pytest

from transfer_jax.reports import selection_cost


def _number(*values):
    return {'target_test': {'values': list(values), 'mean': sum(values) / len(values)}}


def _result(method='mcc', validators=None, **config):
    return {
        'experiment': 'adaptation.digits',
        'method': method,
        'task': 'a_to_b, adda',
        'config': config,
        'seeds': [0, 1],
        'scores': {'last': _number(0.5, 0.7), 'oracle': _number(0.8, 0.9)},
        'validators': validators
        or {'snd': _number(0.1, 0.1), 'bnm': _number(0.8, 0.8)},
    }


RESULT = _result()


def _cells(text):
    """The cells of a table in markdown, by line."""
    lines = [line for line in text.splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def test_the_cost_is_what_the_oracle_would_have_had():
    (row,) = selection_cost.rows([RESULT])
    assert row['cost'] == pytest.approx({'last': 25, 'snd': 75, 'bnm': 5})
    assert row['oracle'] == pytest.approx(0.85)


def test_the_table_has_a_column_for_each_rule_and_validator():
    head, _, row = _cells(selection_cost.table([RESULT], markdown=True))
    assert head == ['task', 'method', 'n', 'oracle', 'last', 'snd', 'bnm']
    assert row == ['a to b, adda', 'mcc', '2', '85.0', '25.0', '75.0', '5.0']
    assert selection_cost.table([]) == 'No result files yet.'


def test_no_two_runs_have_the_same_words_before_their_numbers():
    results = [
        _result(norm='none', weight=None),
        _result(norm='separate', weight=None),
        _result(norm='none', weight=0.3),
        {**_result(norm='none', weight=0.3), 'git': 'abc'},
    ]
    head, _, *body = _cells(selection_cost.table(results, markdown=True))
    assert head[:4] == ['task', 'method', 'norm', 'config']
    assert len({tuple(row[:4]) for row in body}) == 4
    assert body[1][2] == 'separate' and body[2][3].startswith('weight 0.3')


def _ranked(scores, accuracies):
    """Results of methods a, b, ... on one task."""
    return [
        _result(name, {'im': {'scores': [score - 1, score + 1], **_number(accuracy)}})
        for name, score, accuracy in zip('abcdef', scores, accuracies, strict=False)
    ]


def test_a_ranking_comes_with_its_rank_correlation():
    """Ranks 5 4 3 2 1 and 5 3 4 1 2: 1 - 6 (0 + 1 + 1 + 1 + 1) / (5 * 24) = 0.8."""
    results = _ranked([5, 4, 3, 2, 1], [0.9, 0.7, 0.8, 0.1, 0.2])
    ranked = selection_cost.ranking(results, ['a_to_b, adda'], 'im')
    assert [row.method for row in ranked] == list('abcde')
    assert [row.score for row in ranked] == [5, 4, 3, 2, 1]
    assert selection_cost.correlation(ranked) == pytest.approx(0.8)
    assert selection_cost.correlation(ranked[1:]) is None  # too few


def test_a_ranking_has_no_method_without_a_score():
    nan = float('nan')
    results = _ranked([5, nan, 3], [0.9, 0.7, 0.8])
    results.append(_result('train_on_target', results[0]['validators']))
    ranked = selection_cost.ranking(results, ['a_to_b, adda'], 'im')
    assert [row.method for row in ranked] == ['a', 'c']
    assert selection_cost.ranking(results, ['a_to_b, adda', 'b_to_a, adda'], 'im') == []
    assert selection_cost.ranking(results, ['a_to_b, adda'], 'other') == []
