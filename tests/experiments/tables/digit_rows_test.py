"""Rows of the digits table: norm in effect, notes on weights, rows not run yet."""

import pytest

from experiments.adaptation import digits
from experiments.tables import adaptation, baselines, command, digit_rows
from experiments.tasks import tuned_weights
from transfer_jax import recipes, runs, selection
from transfer_jax.reports import tables

NUMBER = runs.scoring.ADAPTATION['target_test']
BLOCK = next(b for b in adaptation.NAMED['digits']() if b.task == 'mnist_to_usps, adda')
PUBLISHED = recipes.get('dann').weight


def _result(method, last, **config):
    fields = runs.folder.plain(digits.Config(method=method, **config))
    column = {'target_test': {'mean': last, 'std': 0.01, 'values': [last, last]}}
    rules = ('last', 'fixed_validator', 'oracle')
    return {
        'format': runs.folder.FORMAT,
        'experiment': 'adaptation.digits',
        'method': method,
        'task': f'{fields["pair"]}, {fields["protocol"]}',
        'fast': False,
        'config': fields,
        'seeds': [0, 1, 2],
        'examples': 1_800,
        'numbers': {'target_test': NUMBER._asdict()},
        'rules': {rule: selection.RULES[rule]._asdict() for rule in rules},
        'steps': {rule: [1_000] for rule in rules},
        'scores': dict.fromkeys(rules, column),
        'validators': {},
    }


@pytest.mark.parametrize(
    'method, norm, compared',
    [
        ('source_only', '', ('none', 'none', True)),
        ('dann', '', ('none', 'none', False)),
        ('dann', 'separate', ('separate', 'separate', False)),
        ('dann', 'joint', ('joint', 'joint', False)),
        ('source_only', 'joint', ('joint', 'joint', True)),
        ('adabn', '', ('adabn', 'separate', True)),
        ('dsbn', '', ('dsbn', 'separate', False)),
        ('autodial', '', ('autodial', 'separate', False)),
        ('source_norm', '', ('source', 'source', True)),
        ('mcc', 'source', ('source', 'source', False)),
        ('train_on_target', '', ('none', 'none', False)),
    ],
)
def test_a_result_knows_its_norm_and_its_baseline(method, norm, compared):
    config = digits.Config(method=method, norm=norm)
    assert digits.build(config).compared == compared
    old = _result(method, 0.5, norm=norm)  # of a version without `compared`
    assert tuple(baselines.completed(old)['compared'].values()) == compared


@pytest.mark.parametrize(
    'weight, tuned, said',
    [
        (None, {}, ''),
        (PUBLISHED, {}, ''),
        (None, {'dann': PUBLISHED}, 'tuned = published'),
        (0.25, {}, 'weight 0.25'),
        (0.25, {'dann': 0.25}, 'tuned, weight 0.25'),
        (0.25, {'dann': 0.125}, 'weight 0.25'),
        (0.0, {'dann': 0.0}, 'tuned, weight 0'),
    ],
)
def test_a_row_says_which_weight_it_has(weight, tuned, said):
    result = _result('dann', 0.5, weight=weight)
    notes = digit_rows.notes(tuned)
    (row,) = tables.rows([result], notes=notes)
    assert row.differs == said
    # It was tuned on one pair, with the method's norm.
    elsewhere = _result('dann', 0.5, weight=weight, pair='usps_to_mnist')
    with_norm = _result('dann', 0.5, weight=weight, norm='separate')
    for other in (elsewhere, with_norm):
        assert 'tuned' not in notes(other)['weight']


@pytest.fixture
def tuned_file(tmp_path, monkeypatch):
    """write({method: weight}): the choices of experiments.adaptation.tuning."""
    monkeypatch.setattr(tuned_weights, 'PATH', tmp_path / 'tuning.json')

    def write(chosen):
        entries = {
            name: {'chosen': weight, 'starts': [{'git': 'abc'}]}
            for name, weight in chosen.items()
        }
        runs.folder.write_json(tuned_weights.PATH, {'methods': entries})

    return write


def test_the_sweep_has_the_rows_of_the_table_in_order(tuned_file):
    tuned_file({'dann': 0.25, 'mcc': recipes.get('mcc').weight, 'bnm': None})
    made = list(digits.sweep())
    assert len(set(made)) == len(made) and {c.seeds for c in made} == {3}
    adda = [c for c in made if c.protocol == 'adda']
    assert made[: len(adda)] == adda
    plain, rest = adda[: 2 * len(recipes.RECIPES)], adda[2 * len(recipes.RECIPES) :]
    assert {(c.norm, c.weight) for c in plain} == {('', None)}
    assert [c.norm for c in rest] == ['separate'] * 2 * len(digits.SEPARATE) + ['']
    assert (rest[-1].method, rest[-1].weight) == ('dann', 0.25)
    (line,) = digits.left_out()
    assert 'cdan' in line and 'bnm' in line and 'dann' not in line.replace('cdan', '')
    tuned_file(dict.fromkeys(tuned_weights.METHODS, 1.0))
    assert digits.left_out() == []


def test_what_the_sweep_has_not_reached_is_a_row(tuned_file):
    tuned_file({'dann': 0.25})
    done = [
        _result('source_only', 0.5),
        _result('dann', 0.7),
        _result('mcc', 0.8, weight=recipes.get('mcc').weight),
        _result('train_on_target', 0.9, source='usps', target='usps'),
    ]
    done[-1]['task'] = 'usps_to_usps, adda'
    lines, _ = command.build([BLOCK], done)
    head, body = tables.cells(lines)
    column = {name: head.index(name) for name in ('method', 'norm', 'last', 'config')}
    rows = [{name: row[i] for name, i in column.items()} for row in body]
    ran = [(row['method'], row['norm']) for row in rows if row['last'] != 'not run']
    assert ran == [
        ('source only', 'none'),
        ('dann', 'none'),
        ('mcc', 'none'),
        ('train on target', 'none'),
    ]
    of_dann = [row for row in rows if row['method'] == 'dann']
    assert [(row['norm'], row['last'], row['config']) for row in of_dann] == [
        ('none', '70.0 ± 1.0', ''),
        ('none', 'not run', 'tuned, weight 0.25'),
        ('separate', 'not run', ''),
    ]
    wanted = [c for c in digits.sweep() if (c.pair, c.protocol) == BLOCK_OF]
    assert len(rows) == len(wanted)
    assert '| not run |' in tables.markdown(lines)


BLOCK_OF = ('mnist_to_usps', 'adda')


def test_a_table_of_rows_not_run_is_none():
    lines, _ = command.build([BLOCK], [])
    assert lines and not any(line.seeds for line in lines)
    assert 'no result files' not in command.rewrite('', [])
    page = '<!-- table:digits -->\n<!-- /table -->'
    assert 'No result files yet.' in command.rewrite(page, [])
