"""Rows of the digits table: norm in effect, notes on weights, rows not run yet."""

import dataclasses
import json

import pytest

from experiments.adaptation import digits
from experiments.tables import adaptation, baselines, command, digit_rows
from experiments.tasks import golden, tuned_weights
from transfer_jax import recipes, runs, selection
from transfer_jax.reports import tables

NUMBER = runs.scoring.ADAPTATION['target_test']
BLOCK = next(b for b in adaptation.NAMED['digits']() if b.task == 'mnist_to_usps, adda')
PUBLISHED = recipes.get('dann').weight


def _result(method, last, **config):
    fields = runs.folder.plain(digits.Config(method=method, **config))
    golden_run = {'git': 'a', 'versions': {}, 'golden': golden.digest(method)}
    column = {'target_test': {'mean': last, 'std': 0.01, 'values': [last, last]}}
    rules = ('last', 'fixed_validator', 'oracle')
    return {
        'format': runs.folder.FORMAT,
        'experiment': 'adaptation.digits',
        'method': method,
        'task': f'{fields["pair"]}, {fields["protocol"]}',
        'fast': False,
        'config': fields,
        'starts': [golden_run],
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
        ('source_only', '', ('none', 'none', '32 images', True)),
        ('dann', '', ('none', 'none', '32 images', False)),
        ('dann', 'separate', ('separate', 'separate', '32 images', False)),
        ('dann', 'joint', ('joint', 'joint', '32 images', False)),
        ('source_only', 'joint', ('joint', 'joint', '32 images', True)),
        ('adabn', '', ('adabn', 'separate', '32 images', True)),
        ('dsbn', '', ('dsbn', 'separate', '32 images', False)),
        ('autodial', '', ('autodial', 'separate', '32 images', False)),
        ('source_norm', '', ('source', 'source', '32 images', True)),
        ('mcc', 'source', ('source', 'source', '32 images', False)),
        ('train_on_target', '', ('none', 'none', '32 images', False)),
        ('deep_jdot', '', ('none', 'none', '500 images, balanced', False)),
    ],
)
def test_a_result_knows_its_norm_and_its_baseline(method, norm, compared):
    norm_in_effect, policy, batches, baseline = compared
    network, training = f'lenet, float32, {policy}', f'{batches}, rate 0.001'
    expected = runs.Compared(norm_in_effect, network, training, baseline)
    config = digits.Config(method=method, norm=norm)
    assert digits.build(config).compared == expected
    old = _result(method, 0.5, norm=norm)  # of a version without `compared`
    assert baselines.completed(old)['compared'] == expected._asdict()
    other = dataclasses.replace(config, network='mnist', rate=1e-4)
    assert digits.compared(other).network != network
    assert digits.compared(other).training != training


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
            name: {
                'chosen': weight,
                'published': recipes.get(name).weight,
                'starts': [{'git': 'abc', 'golden': golden.digest(name)}],
            }
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
    first = 2 * (len(recipes.RECIPES) + 1)  # and source only on DeepJDOT's batches
    plain, rest = adda[:first], adda[first:]
    assert {(c.norm, c.weight) for c in plain} == {('', None)}
    larger = [c for c in plain if c.batch]
    assert {(c.method, c.batch, c.balanced) for c in larger} == {
        ('source_only', 500, True)
    }
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
    batches = [row['config'] for row in rows if row['method'] == 'source only']
    assert batches == ['', 'batch 500, balanced']
    assert '| not run |' in tables.markdown(lines)


BLOCK_OF = ('mnist_to_usps', 'adda')


@pytest.mark.parametrize(
    'change, said',
    [
        ({'starts': [{'git': 'a', 'versions': {}, 'golden': 'other'}]}, 'earlier code'),
        ({'starts': [{'git': 'a', 'versions': {}, 'golden': None}]}, 'earlier code'),
        ({'seeds': [0]}, ''),
        ({'config': {'steps': 500}}, ''),
        ({'config': {'batch': 64}}, 'batch 64'),
        ({'config': {'rate': 1e-4}}, ''),
    ],
)
def test_another_run_leaves_the_row_not_run(tuned_file, change, said):
    tuned_file({})
    result = _result('dann', 0.7)
    config = {**result['config'], **change.pop('config', {})}
    lines, _ = command.build([BLOCK], [{**result, **change, 'config': config}])
    of_dann = [line for line in lines if (line.method, line.norm) == ('dann', 'none')]
    assert [(line.seeds > 0, line.differs) for line in of_dann] == [
        (True, said),
        (False, ''),
    ]


def test_a_choice_counts_while_method_and_published_weight_are_todays(tuned_file):
    tuned_file({'dann': 0.25, 'mcc': 0.5, 'bnm': 0.5, 'dan': 1.0})
    content = json.loads(tuned_weights.PATH.read_text())
    entries = content['methods']
    entries['dann']['published'] = 0.03
    entries['mcc']['starts'][0]['golden'] = 'other'
    entries['bnm']['starts'][0]['git'] = 'a-dirty'
    runs.folder.write_json(tuned_weights.PATH, content)
    assert tuned_weights.read() == {'dan': 1.0}


def test_a_table_of_rows_not_run_is_none():
    lines, _ = command.build([BLOCK], [])
    assert lines and not any(line.seeds for line in lines)
    assert 'no result files' not in command.rewrite('', [])
    page = '<!-- table:digits -->\n<!-- /table -->'
    assert 'No result files yet.' in command.rewrite(page, [])
