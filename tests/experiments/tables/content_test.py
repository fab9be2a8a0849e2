"""What stands below a table: methods ranked by the fixed validator."""

import pytest

from experiments.adaptation import digits
from experiments.tables import adaptation, content
from experiments.tasks import golden
from transfer_jax import runs, selection

METHODS = ('source_only', 'dann', 'mcc', 'bnm', 'dan', 'jan')
# By the scores 5, 4, 3, 2, 1, 0: two neighbours change places, 1 - 6 * 2 / (6 * 35).
ACCURACY = (0.9, 0.7, 0.8, 0.5, 0.4, 0.3)


def _results(count, validator=selection.FIXED):
    results = []
    for pair in adaptation.ADDA:
        for i, method in enumerate(METHODS[:count]):
            accuracy = runs.result.mean_std([ACCURACY[i]] * 2)
            results.append(
                {
                    'experiment': adaptation.DIGITS,
                    'method': method,
                    'task': f'{pair}, adda',
                    'starts': [{'golden': golden.digest(method)}],
                    'config': runs.folder.plain(digits.Config(method, pair)),
                    'compared': digits.compared(digits.Config(method))._asdict(),
                    'validators': {
                        validator: {'scores': [5.0 - i] * 2, 'target_test': accuracy}
                    },
                }
            )
    return results


def test_methods_are_ranked_with_the_rank_correlation_only():
    text = content.ranked(_results(6))
    assert 'source only 90.0, dann 70.0, mcc 80.0' in text
    assert f'is {1 - 12 / 210:.2f} (Spearman, over 6 rows of 6 methods)' in text


@pytest.mark.parametrize(
    'results',
    [_results(4), _results(6, 'snd'), _results(6)[:6], []],
    ids=['four methods', 'by another validator', 'one direction', 'none'],
)
def test_otherwise_there_is_no_ranking(results):
    assert content.ranked(results) == ''
